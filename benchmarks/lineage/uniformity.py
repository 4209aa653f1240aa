"""Whether the probabilities that fpcheck states are what they say: uniform where nothing is shared.

Signs agree or they do not, so the probabilities are discrete; each is taken at the middle of its
step, which makes a uniform distribution of a binomial one to less than a thousandth at our counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from benchmarks.lineage.pairs import Models, kind
from fpcheck.comparison.samples import at_least, diagonal, sample_table
from fpcheck.comparison.weights import Weights

ENOUGH = 0.01  # a Kolmogorov–Smirnov probability above which the bar is met
TERMS = 100


@dataclass(frozen=True)
class Uniformity:
    """The Kolmogorov–Smirnov statistic of `count` probabilities against the uniform ones."""

    count: int
    distance: float
    p: float
    lowest: float

    @property
    def met(self) -> bool:
        """Whether nothing speaks against uniform ones."""
        return self.p > ENOUGH

    def __str__(self) -> str:
        return (
            f"N = {self.count:,}, D = {self.distance:.4f}, Kolmogorov–Smirnov p = {self.p:.3g}, "
            f"lowest p = {self.lowest:.2g}"
        )


def kolmogorov_smirnov(values: Sequence[float]) -> Uniformity:
    """Against the uniform distribution, with Stephens's correction for small samples."""
    ordered = np.sort(np.array(values, dtype=float))
    count = ordered.size
    if not count:
        return Uniformity(0, math.nan, math.nan, math.nan)
    above = np.arange(1, count + 1) / count - ordered
    distance = float(max(above.max(), (ordered - np.arange(count) / count).max()))
    scaled = (math.sqrt(count) + 0.12 + 0.11 / math.sqrt(count)) * distance
    k = np.arange(1, TERMS + 1)
    p = 2 * float(((-1.0) ** (k - 1) * np.exp(-2 * k**2 * scaled**2)).sum())
    p = 1.0 if scaled < 0.2 else min(1.0, max(0.0, p))  # the series does not converge near 0
    return Uniformity(count, distance, p, float(ordered[0]))


def middle_p(agreements: int, count: int) -> float:
    """The probability of more agreements by chance, and half of that of as many."""
    return (at_least(agreements, count) + at_least(agreements + 1, count)) / 2


def probabilities(
    pairs: Iterable[tuple[Weights, Weights]],
) -> tuple[list[float], list[float]]:
    """Of each pair of models over layers of equal relative depth, and of each such layer."""
    of_pairs, of_layers = [], []
    for one, other in pairs:
        table = sample_table(one.signs, other.signs)
        rows, columns = diagonal(*table.counts.shape)
        agreements, counts = table.agreements[rows, columns], table.counts[rows, columns]
        known = counts > 0
        if not known.any():
            continue
        of_pairs.append(middle_p(int(agreements.sum()), int(counts.sum())))
        each = zip(agreements[known].tolist(), counts[known].tolist(), strict=True)
        of_layers += [middle_p(int(a), int(n)) for a, n in each]
    return of_pairs, of_layers


def strangers(models: Models, bases: Iterable[str]) -> list[tuple[str, str]]:
    """Each pair of bases that were trained apart, once."""
    return [
        (one, other)
        for one, other in combinations(bases, 2)
        if kind(models, one, other).is_independent
    ]
