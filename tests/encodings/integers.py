"""Integer quantisation written from the formats' definitions, value by value: slow and plain.

Nothing here is shared with the decoders. A matrix is [out, in]; scales and zero points are
[out, groups]; `group[i]` is the group of input channel i.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fpcheck.checkpoint import Checkpoint, Tensor, read_checkpoint
from fpcheck.checkpoint.coding import BLOCK
from fpcheck.encodings import decoded
from fpcheck.source import read
from tests.checkpoints import framed
from tests.memory_source import MemorySource

NAMES = {
    "<f2": "F16",
    "<f4": "F32",
    "<u2": "BF16",
    "<i4": "I32",
    "<i8": "I64",
    "|i1": "I8",
    "|u1": "U8",
    "<i2": "I16",
}
Arrays = Mapping[str, np.ndarray]
AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)


@dataclass(frozen=True)
class Quantised:
    """Codes of so many bits with their scales and zero points, and what they mean."""

    bits: int
    codes: np.ndarray
    scales: np.ndarray
    zeros: np.ndarray
    group: np.ndarray

    @property
    def values(self) -> np.ndarray:
        """scale × (code − zero), one by one, in Python's own numbers."""
        out, channels = self.codes.shape
        found = np.empty((out, channels))
        for o in range(out):
            for i in range(channels):
                g = self.group[i]
                code = int(self.codes[o, i]) - int(self.zeros[o, g])
                found[o, i] = float(self.scales[o, g]) * code
        return found


def quantised(
    out: int,
    channels: int,
    *,
    bits: int = 4,
    size: int = 32,
    seed: int = 0,
    shuffled: bool = False,
    spread: float = 0.01,
) -> Quantised:
    """Random codes; `shuffled` gives the input channels to the groups in any order."""
    random = np.random.default_rng(seed)
    count = -(-channels // size)
    group = np.arange(channels) // size
    if shuffled:
        group = random.permutation(group)
    return Quantised(
        bits=bits,
        codes=random.integers(0, 2**bits, (out, channels)),
        scales=(random.uniform(0.5, 1.5, (out, count)) * spread).astype("<f2"),
        zeros=random.integers(1, 2**bits, (out, count)),
        group=group,
    )


def words(fields: Iterable[int], bits: int) -> np.ndarray:
    """Fields one after another, the lowest bits first, cut into 32-bit words."""
    number, count = 0, 0
    for field in fields:
        number |= int(field) << (bits * count)
        count += 1
    size = -(-count * bits // 32)
    return np.frombuffer(number.to_bytes(4 * size, "little"), "<i4")


def rows_of_words(matrix: np.ndarray, bits: int) -> np.ndarray:
    """Each row's fields as words."""
    return np.array([words(row, bits) for row in matrix])


def gptq(name: str, q: Quantised, *, less_one: bool = True, order: bool = True) -> dict[str, Any]:
    """A module as AutoGPTQ stores it; `less_one` is its first format."""
    zeros = q.zeros.T - 1 if less_one else q.zeros.T
    tensors = {
        f"{name}.qweight": rows_of_words(q.codes, q.bits).T,
        f"{name}.qzeros": rows_of_words(zeros, q.bits),
        f"{name}.scales": q.scales.T,
    }
    return tensors | ({f"{name}.g_idx": q.group.astype("<i4")} if order else {})


def awq(name: str, q: Quantised) -> dict[str, Any]:
    """A module as AutoAWQ's GEMM version stores it."""

    def interleaved(matrix: np.ndarray) -> np.ndarray:
        return matrix[:, [c + i for c in range(0, matrix.shape[1], 8) for i in AWQ_ORDER]]

    return {
        f"{name}.qweight": rows_of_words(interleaved(q.codes.T), 4),
        f"{name}.qzeros": rows_of_words(interleaved(q.zeros.T), 4),
        f"{name}.scales": q.scales.T,
    }


def gemv(name: str, q: Quantised, width: int) -> dict[str, Any]:
    """A module as AutoAWQ's GEMV version stores it, with so many words of zero points a row."""
    count = q.scales.shape[1]
    filled = ((0, 0), (0, 8 * width - count))
    return {
        f"{name}.qweight": rows_of_words(q.codes, 4),
        f"{name}.qzeros": rows_of_words(np.pad(q.zeros, filled), 4),
        f"{name}.scales": np.pad(q.scales, filled),
    }


def packed(name: str, q: Quantised, zeros: str = "") -> dict[str, Any]:
    """A module in compressed-tensors' pack-quantized; `zeros` "packed", "int8" or absent."""
    tensors = {
        f"{name}.weight_packed": rows_of_words(q.codes, q.bits),
        f"{name}.weight_scale": q.scales,
        f"{name}.weight_shape": np.array(q.codes.shape, "<i8"),
    }
    if zeros == "packed":
        tensors[f"{name}.weight_zero_point"] = rows_of_words(q.zeros.T, q.bits).T
    if zeros == "int8":
        signed = (q.zeros - 2 ** (q.bits - 1)).astype("i1")
        tensors[f"{name}.weight_zero_point"] = signed
    return tensors


def int8(name: str, q: Quantised, *, zeros: bool = False) -> dict[str, Any]:
    """A module in compressed-tensors' int-quantized."""
    tensors = {
        f"{name}.weight": (q.codes - 128).astype("i1"),
        f"{name}.weight_scale": q.scales,
    }
    return tensors | ({f"{name}.weight_zero_point": (q.zeros - 128).astype("i1")} if zeros else {})


def safetensors(tensors: Arrays) -> bytes:
    """A safetensors file of numpy arrays; 16-bit unsigned integers are bfloat16."""
    header: dict[str, Any] = {}
    contents = []
    stop = 0
    for name, array in tensors.items():
        contents.append(np.ascontiguousarray(array).tobytes())
        start, stop = stop, stop + len(contents[-1])
        dtype = NAMES[array.dtype.str]
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [start, stop]}
    return framed(json.dumps(header).encode(), b"".join(contents))


def checkpoint(
    tensors: Arrays, settings: Mapping[str, Any] | None = None, **files: Mapping[str, Any]
) -> Checkpoint:
    """A checkpoint in memory with that quantization_config; `files` are further JSON files."""
    config = {"model_type": "llama"} | ({"quantization_config": settings} if settings else {})
    contents = {f"{name}.json": json.dumps(content).encode() for name, content in files.items()}
    contents |= {"config.json": json.dumps(config).encode()}
    return read_checkpoint(MemorySource(contents | {"model.safetensors": safetensors(tensors)}))


def values(found: Checkpoint, name: str) -> np.ndarray:
    """Every value of a decoded matrix, block by block; each has to come exactly once."""
    tensor = found.tensors[name]
    assert tensor.coding is not None, tensor
    whole = np.zeros(tensor.shape)
    seen = np.zeros(tensor.shape, int)

    def fetch(stored: Tensor, start: int, stop: int) -> bytearray:
        assert 0 <= start <= stop <= stored.stop - stored.start
        return read(found.source, stored.file, stored.start + start, stored.start + stop)

    for block in tensor.coding.blocks():
        assert 0 < block.elements <= BLOCK
        place = np.s_[
            block.row : block.row + block.rows, block.column : block.column + block.columns
        ]
        part = tensor.coding.values(block, fetch)
        assert part.shape == (block.rows, block.columns)
        whole[place] += part
        seen[place] += 1
    assert (seen == 1).all()
    return whole


def fault(tensors: Arrays, settings: Mapping[str, Any] | None = None, **files: Any) -> str:
    """The one fault of a checkpoint of which nothing can be decoded."""
    found, faults = decoded(checkpoint(tensors, settings, **files))
    assert all(tensor.coding is None for tensor in found.tensors.values())
    assert len(faults) == 1, faults
    return faults[0]


def write(folder: Path, tensors: Arrays, config: Mapping[str, Any]) -> None:
    """A checkpoint's folder."""
    (folder / "model.safetensors").write_bytes(safetensors(tensors))
    (folder / "config.json").write_text(json.dumps(config))
