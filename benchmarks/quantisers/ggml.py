"""ggml's types for rows: halves, and blocks of 32 under one scale, from their definition."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.quantisers import Array, Matrix
from benchmarks.quantisers.k_quants import HALF, LOW, Bytes, Pair, q4_k, q5_k, q6_k

BLOCK = 32
# What llama-quantize takes instead where rows are no multiple of 256.
INSTEAD = {"Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}


def f16(matrix: Array) -> Pair:
    """Halves."""
    halves = matrix.astype("<f2")
    return halves.view(np.uint8), halves.astype(np.float64)


def bf16(matrix: Array) -> Pair:
    """The upper half of a float32, rounded."""
    whole = matrix.astype("<f4").view("<u4")
    upper = ((whole + np.uint32(0x8000)) >> 16).astype("<u2")
    return upper.view(np.uint8), (upper.astype("<u4") << 16).view("<f4").astype(np.float64)


def q8_0(matrix: Array) -> Pair:
    """value = d · code, with d a half and codes int8."""
    blocks = matrix.reshape(-1, BLOCK).astype(np.float64)
    d, step = _half(np.abs(blocks).max(1) / 127)
    codes = np.rint(blocks / np.where(step == 0, 1, step)).clip(-127, 127)
    return _rows([d, codes.astype(np.int8).view(np.uint8)], matrix), _shaped(step * codes, matrix)


def around(bits: int) -> Callable[[Array], Pair]:
    """Q4_0 and Q5_0: value = d · (code - 2^(bits - 1))."""

    def quantise(matrix: Array) -> Pair:
        blocks = matrix.reshape(-1, BLOCK).astype(np.float64)
        middle = 1 << (bits - 1)
        d, step = _half(np.abs(blocks).max(1) / (middle - 1))
        codes = np.rint(blocks / np.where(step == 0, 1, step)).clip(-middle, middle - 1) + middle
        return _rows([d, *_packed(codes, bits)], matrix), _shaped(step * (codes - middle), matrix)

    return quantise


def above(bits: int) -> Callable[[Array], Pair]:
    """Q4_1 and Q5_1: value = d · code + m."""

    def quantise(matrix: Array) -> Pair:
        blocks = matrix.reshape(-1, BLOCK).astype(np.float64)
        largest = (1 << bits) - 1
        m, least = _half(blocks.min(1))
        d, step = _half((blocks.max(1) - blocks.min(1)) / largest)
        codes = np.rint((blocks - least) / np.where(step == 0, 1, step)).clip(0, largest)
        return _rows([d, m, *_packed(codes, bits)], matrix), _shaped(step * codes + least, matrix)

    return quantise


TYPES: Mapping[str, Callable[[Array], Pair]] = {
    "F16": f16,
    "BF16": bf16,
    "Q8_0": q8_0,
    "Q4_0": around(4),
    "Q5_0": around(5),
    "Q4_1": above(4),
    "Q5_1": above(5),
    "Q4_K": q4_k,
    "Q5_K": q5_k,
    "Q6_K": q6_k,
}


def fitting(kind: str, columns: int) -> str:
    """The type that llama-quantize gives to rows of so many columns when asked for this one."""
    return INSTEAD[kind] if kind in INSTEAD and columns % 256 else kind


def _half(numbers: Matrix) -> tuple[Bytes, Matrix]:
    """Numbers as halves: their bytes, and what they are then, each beside its block."""
    halves = numbers.astype("<f2")
    return halves.view(np.uint8).reshape(-1, 2), halves.astype(np.float64)[:, np.newaxis]


def _packed(codes: Matrix, bits: int) -> list[Bytes]:
    """The fifth bits, one after another, if there are; then element j beside element j + 16."""
    whole = codes.astype(np.uint8)
    packed: Bytes = (whole[:, :16] & LOW) | whole[
        :, 16:
    ] << HALF  # whose fifth bits are shifted out
    return [packed] if bits == 4 else [np.packbits(whole >> 4, axis=1, bitorder="little"), packed]


def _rows(parts: list[Bytes], matrix: Array) -> Bytes:
    return np.concatenate(parts, axis=1).reshape(matrix.shape[0], -1)


def _shaped(values: Matrix, matrix: Array) -> Matrix:
    return values.reshape(matrix.shape)
