"""The paper's statistic on arrays of curves: Pearson over depth, with and without the trend.

arXiv:2507.03014: the standard deviations of one role over the layers are a curve; two models are
compared by the Pearson correlation of their curves, the shorter interpolated to the longer.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Spread below this share of the level is rounding, not a curve; Pearson of it is undefined.
FLAT = 1e-9


@lru_cache(maxsize=4096)
def _stretch(short: int, long: int) -> Array:
    """The matrix (long × short) that interpolates linearly over equal spacing in [0, 1]."""
    at, known = np.linspace(0, 1, long), np.linspace(0, 1, short)
    return np.stack([np.interp(at, known, row) for row in np.eye(short)], axis=1)


@lru_cache(maxsize=1024)
def _trend(length: int) -> Array:
    """An orthonormal basis (2 × length) of constants and straight lines."""
    line = np.linspace(-1, 1, length)
    return np.stack([np.full(length, length**-0.5), line / np.linalg.norm(line)])


def stretched(curves: Array, length: int) -> Array:
    """Curves (…, m) interpolated linearly to `length` ≥ m layers: (…, length)."""
    return curves if curves.shape[-1] == length else curves @ _stretch(curves.shape[-1], length).T


def unit(curves: Array, *, detrend: bool) -> Array:
    """Curves (…, m) centred, or freed of their linear trend, and scaled to length 1.

    A curve that is flat, or straight when the trend is removed, becomes NaN: it correlates with
    nothing. The dot product of two results is their Pearson correlation.
    """
    scale = np.abs(curves).max(axis=-1, keepdims=True, initial=0)
    basis = _trend(curves.shape[-1])[: 2 if detrend else 1]
    rest = curves - (curves @ basis.T) @ basis
    norm = np.linalg.norm(rest, axis=-1, keepdims=True)
    flat = norm <= FLAT * scale * curves.shape[-1] ** 0.5
    result: Array = np.divide(rest, norm, out=np.full_like(rest, np.nan), where=~flat)
    return result
