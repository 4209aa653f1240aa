"""The worked example in CONTRIBUTING is true: every step of it is taken, in a copy of the code."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data_folders import ROOT

CONTRIBUTING = ROOT / "CONTRIBUTING.md"
BLOCK = re.compile(
    r"(?:<!-- example: (?P<command>[^\n]+) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)```", re.S
)
TABLE = "LAYOUTS: tuple[Layout, ...] = (\n"


def steps() -> list[re.Match[str]]:
    """The blocks of the section on architectures, as far as the example goes, in order."""
    text = CONTRIBUTING.read_text()
    start, stop = text.index("### An architecture"), text.index("**Tiny models.**")
    return list(BLOCK.finditer(text, start, stop))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkout to work in."""
    without = shutil.ignore_patterns("__pycache__")
    for name in ("fpcheck", "tests", "schemas"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=without)
    for name in ("pyproject.toml", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def run(copy: Path, command: str) -> subprocess.CompletedProcess[str]:
    """A command of the document, of this Python and on the copy."""
    words = shlex.split(command.removeprefix("python "))
    words = words if words[0] == "-m" else ["-m", *words]
    return subprocess.run(
        [sys.executable, *words], cwd=copy, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_the_worked_example_is_true(copy: Path) -> None:
    """With UPDATE_GOLDEN=1 what it prints is written anew."""
    make, before, row, after, record, test = steps()
    (copy / "make.py").write_text(make["text"])
    subprocess.run([sys.executable, "make.py"], cwd=copy, check=True)
    shown = {before: run(copy, before["command"])}

    table = copy / "fpcheck/layouts.py"
    table.write_text(table.read_text().replace(TABLE, TABLE + row["text"]))
    shown[after] = run(copy, after["command"])
    recorded = run(copy, record["text"])
    unchecked = run(copy, test["text"])
    remove_check(copy / "tests/headers/lantern.json")
    checked = run(copy, test["text"])

    if os.environ.get("UPDATE_GOLDEN"):
        update({step: result.stdout for step, result in shown.items()})
    assert [result.returncode for result in shown.values()] == [3, 0]
    assert os.environ.get("UPDATE_GOLDEN") or all(s["text"] == r.stdout for s, r in shown.items())
    assert recorded.returncode == 0, recorded.stderr
    assert (unchecked.returncode, checked.returncode) == (1, 0), checked.stdout


def remove_check(header: Path) -> None:
    """What a contributor does by hand, when the slices are right: one line goes."""
    lines = [line for line in header.read_text().splitlines() if '"check"' not in line]
    header.write_text("\n".join(lines))
    slices = json.loads(header.read_text())["slices"]
    recall = "model.blocks.0.heed.recall.weight"
    assert slices["k"] == {recall: [0, [[0, 8], [16, 24]]]}
    assert slices["v"] == {recall: [0, [[8, 16], [24, 32]]]}


def update(printed: dict[re.Match[str], str]) -> None:
    text = CONTRIBUTING.read_text()
    for step in sorted(printed, key=lambda step: -step.start()):
        text = text[: step.start("text")] + printed[step] + text[step.end("text") :]
    CONTRIBUTING.write_text(text)


def test_every_file_that_is_named_is_there() -> None:
    named = re.findall(r"`((?:fpcheck|tests|schemas)/[\w/.]+)`", CONTRIBUTING.read_text())
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []
