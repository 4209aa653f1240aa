"""Gains and biases at fixed coordinates: supporting evidence, never decisive.

The raw cosine of positive vectors is near 1 for strangers too, so each vector is centred first.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from fpcheck.signature.arrays import Arrays

FEWEST = 8  # coordinates: of fewer a correlation says nothing
FLAT = 1e-3  # spread, as a share of the level, below which a vector is constant: folded away


def vector_correlations(
    one: Arrays, other: Arrays, pairs: Iterable[tuple[int, int]]
) -> dict[str, float | None]:
    """By role the median of the centred correlations; None where the vectors are constant."""
    found: dict[str, float | None] = {}
    at = list(pairs)
    for role in sorted(one.vectors.keys() & other.vectors.keys()):
        values = [_pearson(one.vectors[role][i], other.vectors[role][j]) for i, j in at]
        known = [value for value in values if value is not None]
        found[role] = float(np.median(known)) if known else None
    return found


def _pearson(one: np.ndarray, other: np.ndarray) -> float | None:
    own, theirs = one.astype(np.float64), other.astype(np.float64)
    both = np.isfinite(own) & np.isfinite(theirs)
    if both.sum() < FEWEST:
        return None
    own, theirs = own[both] - own[both].mean(), theirs[both] - theirs[both].mean()
    levels = np.abs(one[both]).max(), np.abs(other[both]).max()
    spreads = np.sqrt(np.mean(own**2)), np.sqrt(np.mean(theirs**2))
    if any(spread <= FLAT * level for spread, level in zip(spreads, levels, strict=True)):
        return None
    return float(own @ theirs / (np.linalg.norm(own) * np.linalg.norm(theirs)))
