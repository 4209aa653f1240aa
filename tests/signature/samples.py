"""Stored elements of every measured dtype, and what they are worth by the dtype's definition."""

from __future__ import annotations

import struct
from functools import cache

import numpy as np

from fpcheck.signature.decode import STORED, Doubles, Stored


def stored(values: Doubles, dtype: str) -> Stored:
    """Values near the given ones that the dtype can hold, as a file holds them."""
    with np.errstate(over="ignore"):
        if dtype == "BF16":
            return (values.astype("<f4").view("<u4") >> 16).astype("<u2")
        if dtype == "F8_E5M2":
            return (values.astype("<f2").view("<u2") >> 8).astype("u1")
        if dtype == "F8_E4M3":
            return _nearest(values, np.array([worth(code, dtype) for code in range(0x7F)]))
        return values.astype(STORED[dtype])


def worths(elements: Stored, dtype: str) -> Doubles:
    """The values of stored elements, by a table made from the definition or by numpy."""
    if elements.dtype.kind == "f":
        return elements.astype(np.float64)
    return _table(dtype, elements.dtype.itemsize * 8)[elements]


@cache
def _table(dtype: str, bits: int) -> Doubles:
    return np.array([worth(code, dtype) for code in range(1 << bits)])


def worth(code: int, dtype: str) -> float:
    """The value of one code."""
    if dtype == "F8_E4M3":
        return _e4m3(code)
    shift, form = (16, "<f") if dtype == "BF16" else (8, "<e")
    value: float = struct.unpack(form, (code << shift).to_bytes(struct.calcsize(form), "little"))[0]
    return value


def _e4m3(code: int) -> float:
    """The OCP's 8-bit floating point specification, E4M3: bias 7, no infinity, one NaN a sign."""
    sign, exponent, fraction = -1.0 if code & 0x80 else 1.0, code >> 3 & 15, code & 7
    if exponent == 15 and fraction == 7:
        return float("nan")
    if exponent == 0:
        return sign * fraction / 8 * 2.0**-6
    return sign * (1 + fraction / 8) * 2.0 ** (exponent - 7)


def _nearest(values: Doubles, table: Doubles) -> Stored:
    places = np.searchsorted(table, np.abs(values)).clip(0, len(table) - 1)
    return np.where(values < 0, 0x80 | places, places).astype("u1")
