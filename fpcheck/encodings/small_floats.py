"""The numbers that 8-bit and 4-bit floating-point codes stand for, as tables of float32.

E4M3 and E5M2 are those of "FP8 Formats for Deep Learning" (arXiv:2209.05433); E8M0 and E2M1 those
of the OCP Microscaling Formats (MX) specification 1.0. Every one of them is a float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Singles = NDArray[np.float32]


def _e4m3() -> Singles:
    """No infinity, and NaN only where all bits but the sign are set."""
    codes = np.arange(128)
    exponents, fractions = np.maximum(codes >> 3, 1), np.where(codes < 8, codes, 8 + codes % 8)
    magnitudes = np.ldexp(fractions.astype(np.float32), exponents - 10)
    magnitudes[0x7F] = np.nan
    return np.concatenate([magnitudes, -magnitudes])


def _e5m2() -> Singles:
    """The upper half of a float16; of its NaNs, one that arithmetic does not complain of."""
    numbers = (np.arange(256, dtype="<u2") << 8).view("<f2").astype(np.float32)
    return np.where(np.isnan(numbers), np.float32(np.nan), numbers)


def _e8m0() -> Singles:
    """A power of two, without sign and zero; the last code is NaN."""
    powers = np.ldexp(1.0, np.arange(256) - 127)
    powers[0xFF] = np.nan
    return powers.astype(np.float32)


def _e2m1() -> Singles:
    magnitudes = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], np.float32)
    return np.concatenate([magnitudes, -magnitudes])


def pairs(table: Singles, *, low_first: bool) -> NDArray[np.uint64]:
    """Both numbers of each byte that holds two 4-bit codes, as the 64 bits of two float32."""
    codes = np.arange(256)
    halves = (codes & 15, codes >> 4) if low_first else (codes >> 4, codes & 15)
    return np.stack([table[half] for half in halves], axis=1).view(np.uint64).reshape(-1)


E2M1 = _e2m1()
TABLES: Mapping[str, Singles] = MappingProxyType(
    {"F8_E4M3": _e4m3(), "F8_E5M2": _e5m2(), "F8_E8M0": _e8m0(), "U8": _e8m0()}
)


def singles(stored: bytes | bytearray, dtype: str) -> Singles:
    """Stored scales of one of these dtypes as float32, exactly."""
    raw: NDArray[Any]
    if dtype in TABLES:
        return TABLES[dtype][np.frombuffer(stored, np.uint8)]
    if dtype == "BF16":
        return (np.frombuffer(stored, "<u2").astype("<u4") << 16).view("<f4")
    raw = np.frombuffer(stored, "<f2" if dtype == "F16" else "<f4")
    return raw.astype(np.float32)
