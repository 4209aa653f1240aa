"""No checkpoint, honest or hostile, makes a check take more memory than it may."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.checkpoints import ROLES, llama, write_sharded
from tests.data_folders import ROOT

LIMIT = 256  # MiB above the interpreter
MODEL, INDEX = "model.safetensors", "model.safetensors.index.json"
ENTRY = '{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
ASTRAL = "\U00010000"  # makes Python keep a whole text with four bytes a character
Build = Callable[[Path], Any]

# The peak of the child itself: getrusage's would be the parent's, where that is larger.
CHILD = """
import sys
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))
bare = peak()
from fpcheck.cli import main
code = main(sys.argv[1:])
print(code, (peak() - bare) // 1024)
"""


def check(folder: Path) -> tuple[int, int, str]:
    """Exit code, peak in MiB and messages of a check in a process of its own."""
    command = [sys.executable, "-c", CHILD, "check", str(folder)]
    found = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    code, peak = map(int, found.stdout.split()[-2:])
    return code, peak, found.stderr


def header(*parts: str) -> Build:
    """One file of a header that is made of parts, and no weights."""

    def build(folder: Path) -> None:
        content = "".join(parts).encode()
        (folder / MODEL).write_bytes(len(content).to_bytes(8, "little") + content)

    return build


def index(*parts: str) -> Build:
    def build(folder: Path) -> None:
        header("{}")(folder)
        (folder / MODEL).rename(folder / "a.safetensors")
        (folder / INDEX).write_text("".join(parts))

    return build


def beside(name: str, *parts: str) -> Build:
    def build(folder: Path) -> None:
        header("{}")(folder)
        (folder / name).write_text("".join(parts))

    return build


def many(count: int, pattern: str) -> str:
    """That often, with a number for each #."""
    return ",".join(pattern.replace("#", str(i)) for i in range(count))


WIDE = ENTRY.replace("[0]", f"[0{',1#' * 30}]")
HOSTILE: dict[str, tuple[Build, str]] = {
    "long metadata": (header('{"__metadata__":{"a":"', "a" * 60_000_000, ASTRAL, '"}}'), ""),
    "escapes": (header('{"__metadata__":{"a":"', r"\ud800\udc00" * 3_000_000, '"}}'), ""),
    "much metadata": (header('{"__metadata__":{', many(500_000, '"#":""'), "}}"), "250,000"),
    "much of nothing": (header("{", many(500_000, '"#":{}'), "}"), "'0'"),
    "lists in an entry": (header('{"a":[', "[]," * 10_000_000, "[]]}"), "65,536"),
    "lists in lists": (header('{"a":', "[" * 30_000_000), "nested"),
    "a name without end": (header('{"', "0." * 10_000_000, '":1}'), "'0.0.0."),
    "long names": (header("{", many(40_000, f'"{ASTRAL}{"x" * 1_000}#":{ENTRY}'), "}"), "names"),
    "shapes that differ": (header("{", many(40_000, f'"#":{WIDE}'), "}"), "shapes"),
    "a long index": (index('{"weight_map":{', many(500_000, '"#":"a.safetensors"')), "250,000"),
    "an index of lists": (index('{"weight_map":{"a":[', "[]," * 10_000_000), "65,536"),
    "a config of lists": (beside("config.json", '{"a":[', "[]," * 1_300_000, "[]]}"), "values"),
    "a card of numbers": (beside("README.md", "---\na: [", "1," * 30_000, "1]\n---\n"), ""),
}

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_checkpoint_takes_little_memory(name: str, tmp_path: Path) -> None:
    build, message = HOSTILE[name]
    build(tmp_path)

    code, peak, messages = check(tmp_path)

    assert code == 3
    assert message in messages
    assert peak <= LIMIT


def test_large_weights_take_little_memory(tmp_path: Path) -> None:
    """200 MB of attention, in a file that takes no room on the disk."""
    names = [f"model.layers.{n}.self_attn.{r}.weight" for n in range(12) for r in ROLES.values()]
    size = 2 * 1_400 * 1_400
    table = {
        name: {"dtype": "BF16", "shape": [1_400, 1_400], "data_offsets": [i * size, (i + 1) * size]}
        for i, name in enumerate(names)
    }
    header(json.dumps(table))(tmp_path)
    with (tmp_path / MODEL).open("r+b") as file:
        file.truncate((tmp_path / MODEL).stat().st_size + size * len(names))

    code, peak, _ = check(tmp_path)

    assert code == 3  # nothing but zeros
    assert peak <= LIMIT


@pytest.mark.slow
def test_a_large_mixture_of_experts_is_read_and_takes_little_memory(tmp_path: Path) -> None:
    """Some 100,000 tensors in shards, with an index and the longest config."""
    experts = {
        f"model.layers.{layer}.mlp.experts.{expert}.{matrix}_proj.weight_scale": one
        for one in [np.ones((1, 1), "<f4")]
        for layer in range(10)
        for expert in range(3_300)
        for matrix in ("gate", "up", "down")
    }
    write_sharded(tmp_path, llama() | experts)
    (tmp_path / "config.json").write_text("{" + many(100_000, '"label #":"#"') + "}")

    code, peak, messages = check(tmp_path)

    assert code == 0, messages
    assert peak <= LIMIT
