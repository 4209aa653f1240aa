"""Signs at fixed positions: how often two towers agree, for each pair of their layers.

For models trained apart, agreements are Binomial(n, ½) whatever the weights' distributions. Under a
correlation ρ a pair agrees with probability ½ + asin(ρ)/π.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from fpcheck.signature.arrays import Arrays, Halves
from fpcheck.signature.positions import COMMON

CLIP = 6.0  # median magnitudes: beyond it an outlier would speak for all others

PARTS = slice(None, COMMON), slice(COMMON, None)
Table = NDArray[np.float64]
Singles = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Signs:
    """A tower's samples as signs, ready to be compared with many others."""

    arrays: Arrays

    @cached_property
    def by_role(self) -> Mapping[str, Singles]:
        """By role (layers × samples): -1, 0 or 1, 0 where there is no sample."""
        return {role: _signs(samples) for role, samples in self.arrays.samples.items()}

    @cached_property
    def whole(self) -> tuple[tuple[object, ...], Singles] | None:
        """All roles side by side, and what they are; None where layers differ, or samples lack.

        Two towers that are whole and of the same kind are compared in one product.
        """
        kind: list[object] = []
        for role, signs in sorted(self.by_role.items()):
            shapes = self.arrays.shapes[role]
            if not signs.all() or (shapes != shapes[0]).any():
                return None
            kind.append((str(role), signs.shape[1], *shapes[0].tolist()))
        rows = [self.by_role[role] for role in sorted(self.by_role)]
        return (tuple(kind), np.concatenate(rows, axis=1)) if rows else None

    @cached_property
    def leaning(self) -> Table:
        """How far each part of each role leans to one side, where the tower is whole:
        (layers × parts), so scaled that the product of two says how many more agree for that.
        """
        widths = [self.by_role[role].shape[1] for role in sorted(self.by_role)]
        ends = np.cumsum(widths)
        edges = [
            edge for end, width in zip(ends, widths, strict=True) for edge in _edges(end, width)
        ]
        sizes = np.diff([*edges, ends[-1]])
        sums = np.add.reduceat(self.whole[1], edges, axis=1) if self.whole else np.zeros((0, 0))
        return np.asarray(sums / np.sqrt(sizes), dtype=np.float64)

    @property
    def depth(self) -> int:
        """Number of layers."""
        return max((len(s) for s in self.arrays.samples.values()), default=0)


def _edges(end: int, width: int) -> list[int]:
    """Where the parts of a role begin, whose samples end there."""
    start = end - width
    return [start, start + COMMON] if width > COMMON else [start]


def _signs(samples: Halves) -> Singles:
    """From the bits: arithmetic on float16 is slow."""
    bits = samples.view(np.int16)
    signs = ((bits >> 15) | 1).astype(np.float32)
    signs[(bits & 0x7FFF) == 0] = 0
    return signs


@dataclass(frozen=True, eq=False)
class SampleTable:
    """For each pair of layers (checkpoint × reference): how many signs agree, of how many."""

    agreements: Table
    counts: Table

    @cached_property
    def z(self) -> Table:
        """How many standard deviations more agree than by chance; 0 where nothing compares."""
        gap = 2 * self.agreements - self.counts
        z: Table = np.divide(
            gap, np.sqrt(self.counts), out=np.zeros_like(gap), where=self.counts > 0
        )
        return z

    @cached_property
    def excess(self) -> Table:
        """The share of agreements beyond that of disagreements, in [-1, 1]; 0 where none."""
        gap = 2 * self.agreements - self.counts
        share: Table = np.divide(gap, self.counts, out=np.zeros_like(gap), where=self.counts > 0)
        return share

    def p(self, layer: int, other: int) -> float:
        """The exact probability of as many agreements or more by chance."""
        return at_least(int(self.agreements[layer, other]), round(self.counts[layer, other]))


def sample_table(one: Signs, other: Signs) -> SampleTable:
    """Agreements over the roles that both have, at positions that both matrices have.

    Positions of the common block compare whatever the shapes, the others where shapes are equal.
    """
    if one.whole and other.whole and one.whole[0] == other.whole[0]:
        gap = (one.whole[1] @ other.whole[1].T).astype(np.float64)
        counts = np.full_like(gap, one.whole[1].shape[1])
        gap -= one.leaning @ other.leaning.T
        return SampleTable((gap + counts) / 2, counts)
    gap, counts = np.zeros((2, one.depth, other.depth))
    for role in sorted(one.by_role.keys() & other.by_role.keys()):
        equal = _equal_shapes(one.arrays, other.arrays, role)
        own, theirs = one.by_role[role], other.by_role[role]
        width = min(own.shape[1], theirs.shape[1])
        for part, where in ((slice(None, COMMON), 1.0), (slice(COMMON, width), equal)):
            mine, others = own[:, part], theirs[:, part]
            gap += (mine @ others.T - _expected(mine, others)) * where
            counts += (np.abs(mine) @ np.abs(others).T) * where
    return SampleTable((gap + counts) / 2, counts)


def _expected(one: Singles, other: Singles) -> Table:
    """How many more signs agree than differ where both lean to one side, and nothing else is alike.

    Taken off, so that weights that are mostly positive do not agree for that alone.
    """
    width = max(one.shape[1], 1)
    leaning = np.outer(one.sum(axis=1, dtype=np.float64), other.sum(axis=1, dtype=np.float64))
    expected: Table = leaning / width
    return expected


def _equal_shapes(one: Arrays, other: Arrays, role: str) -> NDArray[np.bool_]:
    """Which pairs of layers have matrices of one shape: (layers × layers)."""
    same: NDArray[np.bool_] = (one.shapes[role][:, None] == other.shapes[role][None]).all(axis=-1)
    return same


@lru_cache(maxsize=1 << 16)
def at_least(agreements: int, count: int) -> float:
    """P(X ≥ agreements) for X ~ Binomial(count, ½); 0.0 where that is below a float's range."""
    if agreements * 2 <= count:
        return 1.0 - _tail(agreements, count) if agreements > 0 else 1.0
    return _tail_above(agreements, count)


def _tail(agreements: int, count: int) -> float:
    """P(X < agreements), by symmetry that of more than count - agreements."""
    return _tail_above(count - agreements + 1, count)


def _tail_above(agreements: int, count: int) -> float:
    """The sum of the binomial terms from `agreements` > count/2 on, each from the one before."""
    if agreements > count:
        return 0.0
    first = math.lgamma(count + 1) - math.lgamma(agreements + 1)
    first -= math.lgamma(count - agreements + 1) + count * math.log(2)
    k = np.arange(agreements, count, dtype=np.float64)
    return min(1.0, math.exp(first) * (1.0 + float(np.cumprod((count - k) / (k + 1)).sum())))


def equal_depth(table: SampleTable) -> tuple[int, int]:
    """Agreements and counts over layers of equal relative depth: one look, chosen beforehand."""
    rows, columns = diagonal(*table.counts.shape)
    agreements, counts = table.agreements[rows, columns], table.counts[rows, columns]
    return int(agreements.sum()), int(counts.sum())


@lru_cache(maxsize=1024)
def diagonal(depth: int, others: int) -> tuple[list[int], list[int]]:
    """Each layer, and the layer of equal relative depth among the others."""
    return list(range(depth)), [round(i * (others - 1) / max(depth - 1, 1)) for i in range(depth)]


def correlations(
    one: Arrays, other: Arrays, pairs: Iterable[tuple[int, int]]
) -> tuple[float, dict[str, float]]:
    """ρ over the pairs of layers, and by role: medians of clipped cosines; NaN where none is."""
    found: dict[str, list[float]] = {}
    every: list[float] = []
    for layer, reference in pairs:
        by_role = {
            r: _aligned_values(one, other, r, layer, reference) for r in roles_of(one, other)
        }
        values = {r: pair for r, pair in by_role.items() if pair[0].size}
        for role, (own, theirs) in values.items():
            found.setdefault(role, []).append(float(own @ theirs / own.size))
        if values:
            total = sum(own.size for own, _ in values.values())
            every.append(sum(float(own @ theirs) for own, theirs in values.values()) / total)
    medians = {role: float(np.median(values)) for role, values in sorted(found.items())}
    return (float(np.median(every)) if every else math.nan), medians


def roles_of(one: Arrays, other: Arrays) -> list[str]:
    """The roles that both have samples of, sorted."""
    return sorted(one.samples.keys() & other.samples.keys())


def _aligned_values(
    one: Arrays, other: Arrays, role: str, layer: int, reference: int
) -> tuple[Table, Table]:
    """The samples that both layers have, clipped, and scaled to a mean square of 1."""
    own, theirs = (row_of(a, role, n) for a, n in ((one, layer), (other, reference)))
    equal = np.array_equal(one.shapes[role][layer], other.shapes[role][reference])
    width = min(own.size, theirs.size, own.size if equal else COMMON)
    both = (own[:width] != 0) & (theirs[:width] != 0)
    return _standard(own[:width][both]), _standard(theirs[:width][both])


def row_of(arrays: Arrays, role: str, layer: int) -> Table:
    """A layer's samples of one role, 0 where there is none."""
    halves: Halves = arrays.samples[role][layer]
    return halves.astype(np.float64)


def _standard(values: Table) -> Table:
    if not values.size:
        return values
    scale = CLIP * float(np.median(np.abs(values)))
    clipped = values.clip(-scale, scale)
    standard: Table = clipped / math.sqrt(float(np.mean(clipped**2)))
    return standard
