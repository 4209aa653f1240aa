"""Quantisers written from the formats' definitions, element by element, that share no code.

Each gives the tensors that a matrix is stored as, by what follows the module's name, and the values
that these mean: float32 products, one at a time, in the order of the definition.
"""

from __future__ import annotations

import json
import math
from typing import NamedTuple

import ml_dtypes
import numpy as np

from tests.encodings.floats import Stored, single, stored

E4M3, E5M2 = ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2
E2M1, E8M0 = ml_dtypes.float4_e2m1fn, ml_dtypes.float8_e8m0fnu
F32 = np.float32
Size = tuple[int, int]
KINDS = {"F8_E4M3": E4M3, "F8_E5M2": E5M2}
SCALES = {"F32": F32, "F16": np.float16, "BF16": ml_dtypes.bfloat16, "F8_E8M0": E8M0}
NF4 = [  # QLoRA, appendix E
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
    *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
    *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
    *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
]
FP4 = [F32(v) / F32(12) for v in (0, 0.0625, 8, 12, 4, 6, 2, 3)]


class Coded(NamedTuple):
    """The tensors of a matrix by their leaves, and its values."""

    tensors: dict[str, Stored]
    values: np.ndarray

    def under(self, module: str) -> dict[str, Stored]:
        """The tensors by their whole names."""
        return {f"{module}.{leaf}": tensor for leaf, tensor in self.tensors.items()}


def float8(
    matrix: np.ndarray,
    block: Size,
    *,
    scale: str = "weight_scale_inv",
    shape: tuple[int, ...] | None = None,
    dtype: str = "F8_E4M3",
    scale_dtype: str = "F32",
) -> Coded:
    """FP8 under one scale for every block; `shape` is that of the scales if it is not plain."""
    (rows, columns), kind = matrix.shape, KINDS[dtype]
    grid = np.zeros((-(-rows // block[0]), -(-columns // block[1])), SCALES[scale_dtype])
    codes, values = np.zeros(matrix.shape, kind), np.zeros(matrix.shape)
    largest = float(ml_dtypes.finfo(kind).max)
    for i, j in np.ndindex(grid.shape):
        part = matrix[i * block[0] : (i + 1) * block[0], j * block[1] : (j + 1) * block[1]]
        grid[i, j] = max(float(np.abs(part).max()) / largest, 1e-6)
    for r, c in np.ndindex(matrix.shape):
        own = F32(grid[r // block[0], c // block[1]])
        codes[r, c] = kind(min(max(float(matrix[r, c] / own), -largest), largest))
        values[r, c] = F32(codes[r, c]) * own
    scales = grid.reshape(grid.shape if shape is None else shape)
    return Coded({"weight": stored(codes, dtype), scale: stored(scales, scale_dtype)}, values)


def packed(codes: np.ndarray, *, low_first: bool) -> np.ndarray:
    """Two codes a byte."""
    flat = [int(code) for code in codes.reshape(-1)]
    flat += [0] * (len(flat) % 2)
    pairs = zip(flat[::2], flat[1::2], strict=True)
    return np.array([a | b << 4 if low_first else a << 4 | b for a, b in pairs], np.uint8)


def nvfp4(matrix: np.ndarray, *, divides: bool) -> Coded:
    """NVFP4 as compressed-tensors stores it, which divides by the overall scale, or ModelOpt."""
    rows, columns = matrix.shape
    overall = F32(np.abs(matrix).max()) / F32(6 * 448)
    overall = F32(1) / overall if divides else overall
    scales, codes = np.zeros((rows, columns // 16), E4M3), np.zeros(matrix.shape, np.uint8)
    values = np.zeros(matrix.shape)
    for r, c in np.ndindex(matrix.shape):
        if c % 16 == 0:
            own = float(np.abs(matrix[r, c : c + 16]).max()) / 6
            scales[r, c // 16] = own * float(overall) if divides else own / float(overall)
        scale = F32(scales[r, c // 16])
        scale = scale / overall if divides else scale * overall
        number = E2M1(matrix[r, c] / scale if scale else 0)
        codes[r, c] = np.array(number).view(np.uint8) & 15
        values[r, c] = F32(number) * scale
    content = packed(codes, low_first=True).reshape(rows, columns // 2)
    leaves = ("weight_packed", "weight_global_scale") if divides else ("weight", "weight_scale_2")
    overall_scale = single([overall]) if divides else single(overall)
    own_scales = stored(scales, "F8_E4M3")
    return Coded(
        {leaves[0]: stored(content, "U8"), "weight_scale": own_scales, leaves[1]: overall_scale},
        values,
    )


def mxfp4(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """MXFP4's codes, two a byte, its exponents with bias 127, and its values."""
    rows, columns = matrix.shape
    exponents, codes = np.zeros((rows, columns // 32), np.uint8), np.zeros(matrix.shape, np.uint8)
    values = np.zeros(matrix.shape)
    for r, c in np.ndindex(matrix.shape):
        if c % 32 == 0:
            largest = float(np.abs(matrix[r, c : c + 32]).max())
            exponents[r, c // 32] = 127 + math.floor(math.log2(largest)) - 2
        scale = 2.0 ** (int(exponents[r, c // 32]) - 127)
        number = E2M1(matrix[r, c] / scale)
        codes[r, c] = np.array(number).view(np.uint8) & 15
        values[r, c] = float(number) * scale
    return packed(codes, low_first=True).reshape(rows, columns // 2), exponents, values


def int8(matrix: np.ndarray) -> Coded:
    """LLM.int8(): rows by their largest magnitude."""
    rows, columns = matrix.shape
    largest, codes = np.abs(matrix).max(axis=1).astype(F32), np.zeros(matrix.shape, np.int8)
    values = np.zeros(matrix.shape)
    for r, c in np.ndindex(rows, columns):
        codes[r, c] = round(float(matrix[r, c]) * 127 / float(largest[r]))
        values[r, c] = F32(codes[r, c]) * largest[r] * F32(7.874015748718502e-3)
    tensors = {"weight": stored(codes, "I8"), "SCB": single(largest)}
    return Coded(tensors | {"weight_format": stored(np.array(0, np.uint8), "U8")}, values)


def four_bits(matrix: np.ndarray, kind: str = "nf4", size: int = 64, nested: int = 0) -> Coded:
    """NF4 and FP4; with `nested`, the scales are quantised in blocks of so many."""
    table = np.array(NF4 if kind == "nf4" else [*FP4, *[-v for v in FP4]], F32)
    flat = matrix.reshape(-1).astype(F32)
    absmax = np.array([np.abs(flat[i : i + size]).max() for i in range(0, flat.size, size)], F32)
    state = {"quant_type": kind, "blocksize": size, "dtype": "float32", "shape": matrix.shape}
    extra: dict[str, Stored] = {"weight.absmax": single(absmax)}
    if nested:
        offset = float(absmax.mean(dtype=F32))
        numbers = np.linspace(-1, 1, 256).astype(F32)  # any table will do: it is stored
        parts = [absmax[i : i + nested] - F32(offset) for i in range(0, absmax.size, nested)]
        coarse = np.array([max(float(np.abs(part).max()), 1e-9) for part in parts], F32)
        codes = [
            int(np.abs(numbers - (scale - F32(offset)) / coarse[i // nested]).argmin())
            for i, scale in enumerate(absmax)
        ]
        absmax = np.array(
            [numbers[c] * coarse[i // nested] + F32(offset) for i, c in enumerate(codes)], F32
        )
        state |= {"nested_blocksize": nested, "nested_dtype": "float32", "nested_offset": offset}
        extra = {
            "weight.absmax": stored(np.array(codes, np.uint8), "U8"),
            "weight.nested_absmax": single(coarse),
            "weight.nested_quant_map": single(numbers),
        }
    chosen = [int(np.abs(table - v / absmax[i // size]).argmin()) for i, v in enumerate(flat)]
    values = np.array([table[code] * absmax[i // size] for i, code in enumerate(chosen)], F32)
    content = packed(np.array(chosen), low_first=False).reshape(-1, 1)
    text = np.frombuffer(json.dumps(state).encode(), np.uint8)
    tensors = {"weight": stored(content, "U8"), "weight.quant_map": single(table), **extra}
    tensors[f"weight.quant_state.bitsandbytes__{kind}"] = stored(text, "U8")
    return Coded(tensors, values.reshape(matrix.shape).astype(np.float64))
