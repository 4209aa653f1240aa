"""How fast fpcheck is: ratios to other work on the same bytes, measured in the same run.

    python -m benchmarks.speed [--size-gb 2] [--folder /where/there/is/room]

Everything is read from the page cache and is the best of several rounds, so that neither the disk
nor other programs are measured.
"""

from __future__ import annotations

import os

# Read when numpy is imported: the threads share the work, so BLAS must not start its own.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fpcheck.anchors import ANCHORS
from fpcheck.attention import find_attention
from fpcheck.checkpoint import read_checkpoint
from fpcheck.comparison import ProfileIndex, match
from fpcheck.layouts import Kind, Role
from fpcheck.reference import How, Obtained, Reference
from fpcheck.references import Library
from fpcheck.signature import RECIPE, Moments, Signature, TowerProfile
from fpcheck.signature.arrays import Arrays
from fpcheck.signature.measure import measure
from fpcheck.signature.positions import COORDINATES, SAMPLES
from fpcheck.signature.probes import probes_of
from fpcheck.source import Origin
from fpcheck.source.local import LocalSource

ROOT = Path(__file__).resolve().parent.parent
FILE = "model.safetensors"
EMBEDDING = "model.embed_tokens.weight"
ROUNDS = 7
PIECE = 2 << 20  # bytes of one copy
REFERENCES, LAYERS = 1000, 32
ENTRIES = 2048  # of a form, about what a reference of so many layers has room for
MIB, GB = 1 << 20, 1e9
# Runs the command line and says the most memory that its process had, in kB.
PEAK = r"""
import re, sys
if sys.argv[1:]:
    from fpcheck.cli import main
    main(sys.argv[1:])
print(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1], file=sys.stderr)
"""

Works = Mapping[str, Callable[[], object]]


@dataclass(frozen=True)
class Line:
    """One measurement, and the bar that it has to reach if it has one."""

    what: str
    value: float
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None

    def __str__(self) -> str:
        text = f"  {self.what:<64}{self.value:9.2f} {self.unit:<5}"
        for sign, bar, met in (
            ("≥", self.at_least, self.value >= (self.at_least or 0)),
            ("≤", self.at_most, self.value <= (self.at_most or 0)),
        ):
            if bar is not None:
                text += f" {sign} {bar:g}: {'met' if met else 'MISSED'}"
        return text.rstrip()


def main() -> None:
    """Make the checkpoints, print one line a measurement, and remove them."""
    parser = argparse.ArgumentParser(description="Measure how fast fpcheck is.")
    parser.add_argument("--size-gb", type=float, default=2.0, help="of each of two checkpoints")
    parser.add_argument("--folder", help="where to make them (default: a temporary folder)")
    arguments = parser.parse_args()
    size = int(arguments.size_gb * GB)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        attention, model = Path(folder, "attention"), Path(folder, "model")
        write(attention, attention_only(size))
        write(model, whole_model(size))
        # What starts processes comes first, while this one is small.
        for measurements in (
            commands(model),
            throughput(attention),
            against_torch(model),
            comparison(),
        ):
            for line in measurements:
                print(line, flush=True)


def attention_only(size: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes: the attention matrices of a Llama of 8 billion weights, in BF16."""
    yield EMBEDDING, (len(ANCHORS), 4096)
    for layer in range(max(1, round(size / 2 / (10 * 4096 * 1024)))):
        yield f"model.layers.{layer}.input_layernorm.weight", (4096,)
        for role, width in (("k", 1024), ("o", 4096), ("q", 4096), ("v", 1024)):
            yield f"model.layers.{layer}.self_attn.{role}_proj.weight", (width, 4096)


def whole_model(size: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes: a Llama of one billion weights; a sixth of a layer is attention."""
    yield EMBEDDING, (64_000, 2048)
    for layer in range(max(1, round((size / 2 - 64_000 * 2048) / (59.5 * 2048 * 512)))):
        name = f"model.layers.{layer}"
        yield f"{name}.input_layernorm.weight", (2048,)
        yield f"{name}.mlp.down_proj.weight", (2048, 8192)
        yield f"{name}.mlp.gate_proj.weight", (8192, 2048)
        yield f"{name}.mlp.up_proj.weight", (8192, 2048)
        for role, width in (("k", 512), ("o", 2048), ("q", 2048), ("v", 512)):
            yield f"{name}.self_attn.{role}_proj.weight", (width, 2048)


def write(folder: Path, tensors: Iterator[tuple[str, tuple[int, ...]]]) -> None:
    """A BF16 checkpoint of random weights. Its bytes repeat, which no measurement can tell."""
    header: dict[str, Any] = {}
    end = 0
    given = list(tensors)
    for name, shape in given:
        start, end = end, end + 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    weights = np.random.default_rng(0).normal(0, 0.02, 1 << 24).astype("<f4")
    block = memoryview((weights.view("<u4") >> 16).astype("<u2").tobytes())
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config(given)))
    vocabulary = {anchor: number for number, anchor in enumerate(ANCHORS)}
    tokenizer = {"model": {"type": "BPE", "vocab": vocabulary, "merges": []}}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    with (folder / FILE).open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for start in range(0, end, len(block)):
            file.write(block[: end - start])


def config(tensors: list[tuple[str, tuple[int, ...]]]) -> dict[str, object]:
    """What config.json says of a Llama of these tensors: heads of 128, one of k for four of q."""
    q = [shape[0] for name, shape in tensors if "q_proj" in name]
    heads = q[0] // 128
    return {
        "model_type": "llama",
        "num_hidden_layers": len(q),
        "num_attention_heads": heads,
        "num_key_value_heads": heads // 4,
    }


def best(works: Works) -> dict[str, float]:
    """The shortest time of each work in seconds. They alternate: a busy moment hits them alike."""
    times = dict.fromkeys(works, float("inf"))
    for _ in range(ROUNDS):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            times[name] = min(times[name], time.perf_counter() - start)
    return times


def throughput(folder: Path) -> Iterator[Line]:
    """Measuring attention, against numpy copying the same file on as many threads."""
    with LocalSource(str(folder)) as source:
        checkpoint = read_checkpoint(source)
        attention = find_attention(checkpoint)
        threads = source.workers
        path = folder / FILE
        array = np.ones(path.stat().st_size, np.uint8)  # written to once, so that it is there
        times = best(
            {
                "measure": lambda: measure(checkpoint, attention, workers=threads),
                "recipe": lambda: measure(
                    checkpoint,
                    attention,
                    probes_of(checkpoint, attention),
                    workers=threads,
                ),
                "to array": lambda: copy(path, threads, array),
                "to buffer": lambda: copy(path, threads, None),
            }
        )
    size = path.stat().st_size / GB
    yield Line(
        f"measuring {size:.2f} GB of attention on {threads} threads",
        size / times["measure"],
        "GB/s",
    )
    share = times["recipe"] / times["measure"]
    yield Line("the whole recipe / its profile alone", share, "", at_most=2.5)
    for target in ("to array", "to buffer"):
        yield Line(f"numpy copying them from a mapped file {target}", size / times[target], "GB/s")
    yield Line("measuring / copying to an array", times["to array"] / times["measure"], "", 0.5)
    ratio = times["to buffer"] / times["measure"]
    yield Line("measuring / copying to a buffer that stays in the cache", ratio)


def copy(path: Path, threads: int, array: np.ndarray[Any, Any] | None) -> None:
    """Copy a file to an array of its size, or piece by piece to one small buffer a thread."""
    content = np.memmap(path, np.uint8, "r")

    def share(first: int) -> None:
        buffer = np.empty(PIECE, np.uint8)
        for start in range(first * PIECE, content.size, threads * PIECE):
            piece = content[start : start + PIECE]
            target = buffer[: piece.size] if array is None else array[start : start + PIECE]
            np.copyto(target, piece)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(share, range(threads)))


def against_torch(folder: Path) -> Iterator[Line | str]:
    """Measuring a model, against loading it with torch and asking for every standard deviation."""
    try:
        import torch
        from safetensors.torch import load, load_file
    except ImportError:
        yield "  torch is not installed: pip install torch, to be compared with torch.std"
        return
    with LocalSource(str(folder)) as source:
        checkpoint = read_checkpoint(source)
        attention = find_attention(checkpoint)

        def deviations(tensors: Mapping[str, torch.Tensor]) -> None:
            for name, tensor in tensors.items():
                if "self_attn" in name:
                    torch.std(tensor, correction=0).item()

        file = folder / FILE
        times = best(
            {
                "fpcheck": lambda: measure(checkpoint, attention),
                "mapped": lambda: deviations(load_file(file)),
                "loaded": lambda: deviations(load(file.read_bytes())),
            }
        )
    yield Line("loading into memory with torch, and torch.std", times["loaded"], "s")
    yield Line("the same by fpcheck: times faster", times["loaded"] / times["fpcheck"], "", 10)
    yield Line("mapping with torch (only attention is read), and torch.std", times["mapped"], "s")
    yield Line("the same by fpcheck: times faster", times["mapped"] / times["fpcheck"], "", 10)


def commands(folder: Path) -> Iterator[Line]:
    """What a user waits for, and the memory it takes."""
    fingerprint = ["fingerprint", str(folder), "--no-digest", "-o", os.devnull]
    check = ["check", str(folder)]
    times = best(
        {
            "help": lambda: run("-m", "fpcheck", "--help"),
            "fingerprint": lambda: run("-m", "fpcheck", *fingerprint),
            "check": lambda: run("-m", "fpcheck", *check),
        }
    )
    size = (folder / FILE).stat().st_size / GB
    yield Line("fpcheck --help", times["help"] * 1000, "ms", at_most=150)
    yield Line(f"fpcheck fingerprint --no-digest, {size:.2f} GB", times["fingerprint"], "s")
    yield Line("fpcheck check, which hashes the files too", times["check"], "s")
    for name, command in (("fingerprint", fingerprint), ("check", check)):
        peak = (int(run("-c", PEAK, *command)) - int(run("-c", PEAK))) / 1024
        yield Line(f"peak memory of {name} above a bare interpreter", peak, "MiB", at_most=256)


def run(*arguments: str) -> str:
    """The last line that Python prints to standard error with these arguments."""
    done = subprocess.run(  # noqa: S603 — this interpreter, our own arguments
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stderr.strip().rpartition("\n")[2]


def comparison() -> Iterator[Line]:
    """Comparing a signature with a library of a thousand."""
    random = np.random.default_rng(0)
    references = tuple(reference(f"someone/{n:04}", random) for n in range(REFERENCES))
    library = Library(references, "")
    signature = reference("the/checkpoint", random).signature
    index = ProfileIndex(library)
    times = best({"match": lambda: match(signature, index), "index": lambda: ProfileIndex(library)})
    yield Line(
        f"comparing with {REFERENCES:,} references", times["match"] * 1000, "ms", at_most=1000
    )
    yield Line("making the index of them, once a check", times["index"] * 1000, "ms")


def reference(identity: str, random: np.random.Generator) -> Reference:
    """A reference of random curves."""
    roles = {
        role: tuple(Moments(1 << 24, 0.0, float(std)) for std in random.uniform(0.01, 0.1, LAYERS))
        for role in (Role.Q, Role.K, Role.V, Role.O)
    }
    tower = TowerProfile(
        "model.layers", "llama", Kind.SELF, tuple(range(LAYERS)), roles, arrays(random)
    )
    signature = Signature(RECIPE, Origin(identity), "llama", (), (tower,))
    return Reference(identity, None, (), Obtained(How.COMPUTED, "a benchmark"), signature)


def arrays(random: np.random.Generator) -> Arrays:
    """Random samples and forms, as many as a reference keeps."""
    matrices = ("q", "k", "v", "o", "ff.up", "ff.gate", "ff.down")
    normal = random.standard_normal((len(matrices), LAYERS, SAMPLES)).astype(np.float16)
    forms = random.integers(-60, 60, (2, LAYERS, ENTRIES)).astype(np.int8)
    return Arrays(
        samples=dict(zip(matrices, normal, strict=True)),
        shapes=dict.fromkeys(matrices, np.full((LAYERS, 2), 4096, np.int32)),
        forms=dict(zip(("qk", "vo"), forms, strict=True)),
        anchors=np.ones(len(ANCHORS), np.bool_),
        vectors={"norm": random.standard_normal((LAYERS, COORDINATES)).astype(np.float16)},
    )


if __name__ == "__main__":
    main()
