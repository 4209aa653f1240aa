"""ggml's Q4_K, Q5_K and Q6_K, written from the definition of their blocks.

Each function returns the stored bytes of rows and the values that the definition gives them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.quantisers import Array, Matrix

BLOCK = 256
LOW, HALF = np.uint8(15), np.uint8(4)  # the low half of a byte, and how many bits that is
Bytes = NDArray[np.uint8]
Pair = tuple[Bytes, Matrix]


def q6_k(matrix: Array) -> Pair:
    """16 groups of 16: value = d · scale · (code - 32); d is a half, a scale 8 bits, a code 6."""
    groups = matrix.reshape(-1, 16, 16).astype(np.float64)
    wanted = np.abs(groups).max(2) / 31
    d = (wanted.max(1) / 127).astype(np.float16)
    scales = np.rint(wanted / np.where(d == 0, 1, d)[:, None]).astype(np.int8)
    steps = d.astype(np.float64)[:, None] * scales
    codes = np.rint(groups / np.where(steps == 0, 1, steps)[..., None]).clip(-32, 31) + 32
    values = steps[..., None] * (codes - 32)
    low, high = np.zeros((len(groups), 128), np.uint8), np.zeros((len(groups), 64), np.uint8)
    flat = codes.reshape(-1, BLOCK).astype(np.uint8)
    for place in range(BLOCK):
        half, within = divmod(place, 128)
        quarter, byte = divmod(within, 32)
        code = flat[:, place]
        # Quarters 0 and 1 of a half are low nibbles, 2 and 3 the high ones of the same bytes.
        low[:, half * 64 + quarter % 2 * 32 + byte] |= (code & LOW) << (quarter // 2 * 4)
        high[:, half * 32 + byte] |= (code >> 4) << (quarter * 2)
    parts = [low, high, scales.view(np.uint8), d.view(np.uint8).reshape(-1, 2)]
    return _rows(parts, matrix), values.reshape(matrix.shape)


def q4_k(matrix: Array) -> Pair:
    """8 groups of 32: value = d · scale · code - m · least, with 6 bits for scale and least."""
    head, codes, values = _offset(matrix, 15)
    return _rows([*head, _nibbles(codes)], matrix), values.reshape(matrix.shape)


def q5_k(matrix: Array) -> Pair:
    """The same with codes of 5 bits; bit g of byte j is the highest of element j of group g."""
    head, codes, values = _offset(matrix, 31)
    low: Bytes = codes & LOW
    high = np.zeros((len(codes), 32), np.uint8)
    for group in range(8):
        high |= (codes[:, group] >> 4) << group
    return _rows([*head, high, _nibbles(low)], matrix), values.reshape(matrix.shape)


def _offset(matrix: Array, largest: int) -> tuple[list[Bytes], Bytes, Matrix]:
    """What a block begins with, its codes as [blocks, 8, 32], and their values."""
    groups = matrix.reshape(-1, 8, 32).astype(np.float64)
    bottom = np.maximum(-groups.min(2), 0)
    reach = np.maximum(groups.max(2) + bottom, 0) / largest
    d, m = (reach.max(1) / 63).astype(np.float16), (bottom.max(1) / 63).astype(np.float16)
    scales = np.rint(reach / np.where(d == 0, 1, d)[:, None]).clip(0, 63).astype(np.uint8)
    least = np.rint(bottom / np.where(m == 0, 1, m)[:, None]).clip(0, 63).astype(np.uint8)
    steps = (d.astype(np.float64)[:, None] * scales)[..., None]
    offsets = (m.astype(np.float64)[:, None] * least)[..., None]
    codes = np.rint((groups + offsets) / np.where(steps == 0, 1, steps)).clip(0, largest)
    halves = [part.view(np.uint8).reshape(-1, 2) for part in (d, m)]
    return [*halves, _six_bits(scales, least)], codes.astype(np.uint8), steps * codes - offsets


def _nibbles(codes: Bytes) -> Bytes:
    """Two neighbouring groups share 32 bytes, the first in their low halves."""
    pairs = codes.reshape(-1, 4, 2, 32)
    packed: Bytes = (pairs[:, :, 0] | pairs[:, :, 1] << HALF).reshape(-1, 128)
    return packed


def _six_bits(scales: Bytes, least: Bytes) -> Bytes:
    """Eight scales and eight minima of 6 bits in 12 bytes."""
    packed = np.zeros((len(scales), 12), np.uint8)
    for j in range(4):
        packed[:, j] = scales[:, j] | (scales[:, j + 4] >> 4) << 6
        packed[:, j + 4] = least[:, j] | (least[:, j + 4] >> 4) << 6
        packed[:, j + 8] = (scales[:, j + 4] & LOW) | (least[:, j + 4] & LOW) << 4
    return packed


def _rows(parts: list[Bytes], matrix: Array) -> Bytes:
    return np.concatenate(parts, axis=1).reshape(matrix.shape[0], -1)
