"""Checkpoints of floating-point and bitsandbytes codes, and their values by the shortest code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fpcheck.check import fingerprint
from fpcheck.checkpoint import Checkpoint, Tensor, read_checkpoint
from fpcheck.encodings import decoded
from fpcheck.source import read
from fpcheck.source.local import LocalSource
from tests.checkpoints import framed

Stored = tuple[str, tuple[int, ...], bytes]  # dtype, shape, content


def stored(array: np.ndarray, dtype: str) -> Stored:
    """An array under the name of a dtype that numpy may not know."""
    array = np.ascontiguousarray(array)
    return dtype, array.shape, array.tobytes()


def single(array: Any) -> Stored:
    """Float32 numbers."""
    return stored(np.asarray(array, np.float32), "F32")


def write(
    folder: Path, tensors: Mapping[str, Stored], config: Mapping[str, Any] | None = None
) -> Path:
    """A checkpoint's folder."""
    header, place = {}, 0
    for name, (dtype, shape, content) in tensors.items():
        end = place + len(content)
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [place, end]}
        place = end
    data = b"".join(content for _, _, content in tensors.values())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(framed(json.dumps(header).encode(), data))
    (folder / "config.json").write_text(json.dumps(config or {}))
    return folder


def decode(folder: Path) -> tuple[Checkpoint, tuple[str, ...]]:
    """The checkpoint of a folder with its codings, and the faults."""
    return decoded(read_checkpoint(LocalSource(folder)))


def values(checkpoint: Checkpoint, name: str) -> np.ndarray:
    """All values of a coded matrix, put together from its blocks; each element must come once."""
    tensor = checkpoint.tensors[name]
    assert tensor.coding, f"{name} has no coding"
    found, times = np.zeros(tensor.shape, np.float64), np.zeros(tensor.shape, np.int8)

    def fetch(part: Tensor, start: int, stop: int) -> bytearray:
        assert 0 <= start <= stop <= part.stop - part.start
        return read(checkpoint.source, part.file, part.start + start, part.start + stop)

    for block in tensor.coding.blocks():
        rows = slice(block.row, block.row + block.rows)
        columns = slice(block.column, block.column + block.columns)
        part = tensor.coding.values(block, fetch)
        assert part.shape == (block.rows, block.columns)
        found[rows, columns] = part
        times[rows, columns] += 1
    assert (times == 1).all()
    return found


def matrices(shape: tuple[int, int], count: int = 1, seed: int = 0) -> list[np.ndarray]:
    """Matrices that differ in spread and mean, and whose rows do."""
    random = np.random.default_rng(seed)
    spreads = random.uniform(0.01, 0.1, size=(count, shape[0], 1))
    return list((random.normal(0.1, 1, size=(count, *shape)) * spreads).astype(np.float32))


def moments(folder: Path) -> dict[str, list[tuple[float, float]]]:
    """Mean and standard deviation of each role, layer by layer, by the whole pipeline."""
    signature = fingerprint(LocalSource(folder), digest=False).signature
    assert signature.unmeasured == ()
    (tower,) = signature.towers
    roles = {str(role): row for role, row in tower.roles.items()}
    return {r: [(m.mean or 0.0, m.std) for m in row if m] for r, row in roles.items()}


def refused(folder: Path, name: str) -> str:
    """Why a matrix is not measured; it must not be, neither as it is stored."""
    checkpoint, faults = decode(folder)
    assert name not in checkpoint.tensors or not checkpoint.tensors[name].is_measurable
    signature = fingerprint(LocalSource(folder), digest=False).signature
    assert not any(tower.roles for tower in signature.towers)
    assert set(faults) <= set(signature.unmeasured)
    (fault,) = [fault for fault in faults if fault.startswith(f"{name}: ")]
    return fault
