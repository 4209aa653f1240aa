"""GPTQ, AWQ and compressed-tensors: integers under scales for groups of input channels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.quantisers import Array, Coded, Matrix, Stored, group_size

AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7]


class Grouped(NamedTuple):
    """Codes [out, in], scales and zero points [out, groups], and the group of each channel."""

    codes: Array
    scales: Array
    zeros: Array
    group: Array

    @property
    def values(self) -> Matrix:
        """scale × (code − zero)."""
        scales = self.scales.astype(np.float64)[:, self.group]
        found: Matrix = scales * (self.codes - self.zeros[:, self.group])
        return found


def gptq(
    matrix: Matrix,
    *,
    bits: int = 4,
    size: int = 128,
    symmetric: bool = True,
    ordered: bool = False,
    index: bool = True,
    less_one: bool = True,
) -> Coded:
    """As GPTQModel stores it; `ordered` gives channels to groups by their size, as desc_act does.

    `index` says that g_idx is stored, `less_one` that zero points are stored less one.
    """
    group = np.arange(matrix.shape[1]) // _size(matrix, size)
    if ordered:
        group[np.argsort(-np.square(matrix).sum(0), kind="stable")] = group.copy()
    q = _rounded(matrix, group, bits, symmetric)
    tensors = {
        "qweight": Stored("I32", words(q.codes, bits).T),
        "qzeros": Stored("I32", words(q.zeros.T - 1 if less_one else q.zeros.T, bits)),
        "scales": Stored("F16", q.scales.T),
    }
    order = {"g_idx": Stored("I32", group.astype("<i4"))} if index else {}
    return Coded(tensors | order, q.values)


def awq(matrix: Matrix, *, size: int = 128) -> Coded:
    """As AutoAWQ's GEMM version stores it: packed along the output channels, in its own order."""
    q = _rounded(matrix, np.arange(matrix.shape[1]) // _size(matrix, size), 4, symmetric=False)
    codes, zeros = (
        part.T.reshape(part.shape[1], -1, 8)[:, :, AWQ_ORDER].reshape(part.shape[1], -1)
        for part in (q.codes, q.zeros)
    )
    tensors = {
        "qweight": Stored("I32", words(codes, 4)),
        "qzeros": Stored("I32", words(zeros, 4)),
        "scales": Stored("F16", q.scales.T),
    }
    return Coded(tensors, q.values)


def packed(matrix: Matrix, *, bits: int = 4, size: int = 128, symmetric: bool = True) -> Coded:
    """As compressed-tensors' pack-quantized stores it."""
    group = np.arange(matrix.shape[1]) // _size(matrix, size)
    q = _rounded(matrix, group, bits, symmetric)
    tensors = {
        "weight_packed": Stored("I32", words(q.codes, bits)),
        "weight_scale": Stored("F16", q.scales),
        "weight_shape": Stored("I64", np.array(matrix.shape, "<i8")),
    }
    zeros = {"weight_zero_point": Stored("I32", words(q.zeros.T, bits).T)}
    return Coded(tensors if symmetric else tensors | zeros, q.values)


def int8(matrix: Matrix, *, symmetric: bool = True) -> Coded:
    """As compressed-tensors' int-quantized stores it, one scale a row."""
    q = _rounded(matrix, np.zeros(matrix.shape[1], int), 8, symmetric)
    tensors = {
        "weight": Stored("I8", (q.codes - 128).astype("i1")),
        "weight_scale": Stored("F16", q.scales),
    }
    zeros = {"weight_zero_point": Stored("I8", (q.zeros - 128).astype("i1"))}
    return Coded(tensors if symmetric else tensors | zeros, q.values)


def words(fields: Array, bits: int) -> Array:
    """Each row's fields as 32-bit words, the first in the lowest bits."""
    each = 32 // bits
    rows, columns = fields.shape
    filled = np.pad(fields, ((0, 0), (0, -columns % each))).astype("<u4")
    shifts = np.arange(each, dtype="<u4") * np.uint32(bits)
    found: Array = np.bitwise_or.reduce(filled.reshape(rows, -1, each) << shifts, axis=2)
    return found.view("<i4")


def _size(matrix: Matrix, size: int) -> int:
    """The size of a group: what was asked for or what divides; -1 stands for all channels."""
    return matrix.shape[1] if size == -1 else group_size(matrix.shape[1], size)


def _rounded(matrix: Matrix, group: Array, bits: int, symmetric: bool) -> Grouped:
    """To the nearest code; zero points are whole, and the middle if it is symmetric."""
    largest, middle = (1 << bits) - 1, 1 << (bits - 1)
    count = int(group.max()) + 1
    parts = [matrix[:, group == g] for g in range(count)]
    low = np.stack([np.minimum(part.min(1), 0) for part in parts], axis=1)
    high = np.stack([np.maximum(part.max(1), 0) for part in parts], axis=1)
    reach = np.maximum(-low, high) / (middle - 1) if symmetric else (high - low) / largest
    scales = np.maximum(reach, 1e-6).astype("<f2")
    # A zero point of 0 would be stored as -1 by the first format of GPTQ.
    zeros = np.rint(-low / scales.astype(np.float64)).clip(1, largest).astype(np.int64)
    zeros = np.full_like(zeros, middle) if symmetric else zeros
    steps = scales.astype(np.float64)[:, group]
    codes = np.rint(matrix / steps).astype(np.int64) + zeros[:, group]
    return Grouped(codes.clip(0, largest), scales, zeros, group)
