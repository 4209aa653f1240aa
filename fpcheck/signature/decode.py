"""Stored elements as float64, exactly: every value of the measured dtypes is a float64."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Stored = NDArray[Any]  # elements as the file holds them, in the type that STORED names
Doubles = NDArray[np.float64]

# The numpy type that holds an element's bits. Where numpy lacks the dtype, an integer does.
STORED: Mapping[str, np.dtype[Any]] = MappingProxyType(
    {
        "F64": np.dtype("<f8"),
        "F32": np.dtype("<f4"),
        "F16": np.dtype("<f2"),
        "BF16": np.dtype("<u2"),
        "F8_E4M3": np.dtype("u1"),
        "F8_E5M2": np.dtype("u1"),
    }
)


def decode(stored: Stored, dtype: str, out: Doubles) -> None:
    """Write the values of stored elements to `out`, which has their shape."""
    if dtype in TABLES:
        np.take(TABLES[dtype], stored, out=out, mode="clip")  # the default mode copies `out`
    elif dtype == "BF16":
        np.copyto(out, (stored.astype("<u4") << 16).view("<f4"))  # the upper half of a float32
    else:
        np.copyto(out, stored)


def _e4m3() -> Doubles:
    """The 256 values of float8_e4m3fn: no infinity, and NaN only where all other bits are set."""
    codes = np.arange(128)
    exponents, fractions = np.maximum(codes >> 3, 1), np.where(codes < 8, codes, 8 + codes % 8)
    magnitudes = np.ldexp(fractions.astype(np.float64), exponents - 10)
    magnitudes[0x7F] = np.nan
    return np.concatenate([magnitudes, -magnitudes])


def _e5m2() -> Doubles:
    """The 256 values of float8_e5m2, which is the upper half of a float16."""
    return (np.arange(256, dtype="<u2") << 8).view("<f2").astype(np.float64)


TABLES: Mapping[str, Doubles] = MappingProxyType({"F8_E4M3": _e4m3(), "F8_E5M2": _e5m2()})
