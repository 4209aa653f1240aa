"""Every reference's curves, stacked so that one profile is scored against all of them at once."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpcheck.comparison.background import like_depth
from fpcheck.comparison.curves import Array, stretched, unit
from fpcheck.comparison.profile import (
    POOLED,
    ROLES,
    SPLIT,
    Pearson,
    ProfileScore,
    curves,
    is_fused,
)
from fpcheck.comparison.weights import Weights, weights_of
from fpcheck.layouts import Kind, Role
from fpcheck.references import Library
from fpcheck.signature import TowerProfile

Rows = NDArray[np.intp]
RAW, DETRENDED = 0, 1  # places on the first axis of a table of correlations
KINDS = tuple(Kind)
PLACE = {role: place for place, role in enumerate(ROLES)}


@dataclass(frozen=True)
class Scores:
    """One tower's score against each reference, by the reference's place.

    `values` is (2 statistics × references), NaN where nothing compares.
    """

    values: Array
    _rows: Rows
    _table: Array
    _tower: TowerProfile
    _places: frozenset[int]
    _fused: bool
    _depth: int
    _index: ProfileIndex

    @cached_property
    def _plain(self) -> list[tuple[float, float, int]]:
        """By place: both values and the row, as plain numbers."""
        return list(zip(*self.values.tolist(), self._rows.tolist(), strict=True))

    @cached_property
    def _pairs(self) -> Any:
        """By row and role: the two statistics as plain numbers, quick to pick from."""
        return self._table.transpose(2, 1, 0).tolist()

    def score(self, place: int) -> ProfileScore | None:
        """The score against one reference in full; None where nothing compares."""
        raw, detrended, row = self._plain[place]
        if math.isnan(raw):
            return None
        pairs, places = self._pairs[row], self._index.places(row, fused=self._fused)
        depths = (self._depth, self._index.row_depths[row])
        return ProfileScore(
            raw=raw,
            detrended=detrended,
            roles={ROLES[p]: Pearson(*pairs[p]) for p in places if p in self._places},
            layers=min(depths),
            depths=depths,
            tower=self._tower.name,
            reference_tower=self._index.towers[row].name,
        )


class ProfileIndex:
    """The curves of every reference tower, by depth. One row is one tower.

    `reference_depths` are the depths of each reference's deepest tower, and `families` number
    each reference's family.
    """

    def __init__(self, library: Library) -> None:
        self.library = library
        found = [(p, t) for p, r in enumerate(library.references) for t in r.signature.towers]
        self.towers = [tower for _, tower in found]
        self._size = len(library.references)
        self._places = np.array([place for place, _ in found], dtype=np.intp)
        self._kinds = np.array([KINDS.index(tower.kind) for tower in self.towers], dtype=np.intp)
        self._fused = np.array([is_fused(tower) for tower in self.towers], dtype=bool)
        self._curves = [curves(tower) for tower in self.towers]
        self.row_depths = [_depth(each) for each in self._curves]
        self.reference_depths = np.zeros(self._size, dtype=np.intp)
        np.maximum.at(self.reference_depths, self._places, self.row_depths)
        self._stacks = self._stacked()
        # Numbers for roles: an enum's hash is a call of Python code, which a thousand matches show.
        self._split_places, self._pooled_places = (
            [tuple(PLACE[role] for role in roles if role in own) for own in self._curves]
            for roles in (SPLIT, POOLED)
        )
        self.families = self._numbered_families()
        self._units: dict[tuple[int, int, int], Array] = {}

    @property
    def weights(self) -> Iterator[tuple[int, tuple[Weights, ...]]]:
        """What can be compared weight by weight: the towers of each reference, by its place.

        Made anew each time: kept for a thousand references they would take much memory.
        """
        for place, reference in enumerate(self.library.references):
            own = tuple(filter(None, map(weights_of, reference.signature.towers)))
            if own:
                yield place, own

    def places(self, row: int, *, fused: bool) -> tuple[int, ...]:
        """Where ROLES has the roles in which a tower, fused or not, is compared with a row's."""
        return self._pooled_places[row] if fused or self._fused[row] else self._split_places[row]

    def scores(self, tower: TowerProfile, near: int | None = None) -> Scores:
        """The score of one tower against the best tower of every reference.

        With `near`, of those only whose depth is like it: what a background needs.
        """
        own = curves(tower)
        table = self._table(own, near)
        means = self._means(table, tower)
        best = self._best_rows(means[RAW])
        places = self._places[best]
        values, rows = np.full((2, self._size), np.nan), np.zeros(self._size, np.intp)
        values[:, places], rows[places] = means[:, best], best
        known = frozenset(PLACE[role] for role in own)
        return Scores(values, rows, table, tower, known, is_fused(tower), _depth(own), self)

    def best(self, towers: Sequence[TowerProfile], near: int | None = None) -> Array:
        """The highest values of any tower: (2 statistics × references), NaN where none compares."""
        none = np.full((2, self._size), np.nan)
        best: Array = np.fmax.reduce([none, *(self.scores(t, near).values for t in towers)])
        return best

    def _best_rows(self, raw: Array) -> Rows:
        """The row of each reference that scores highest, for those that have one."""
        order = np.argsort(raw, kind="stable")  # NaN last
        order = order[: len(order) - int(np.isnan(raw).sum())]
        best = np.full(self._size, -1, np.intp)
        best[self._places[order]] = order  # the last, that is the highest, stays
        return best[best >= 0]

    def relatives(self, identities: Iterable[str]) -> NDArray[np.bool_]:
        """Which references are of the family of one of these ids."""
        names = {self.library.family(identity) for identity in identities}
        families = [self.library.family(r.id) in names for r in self.library.references]
        return np.array(families, dtype=bool)

    def _numbered_families(self) -> Rows:
        """Each reference's family as a number from 0."""
        names = [self.library.family(reference.id) for reference in self.library.references]
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        return np.array([numbers[name] for name in names], dtype=np.intp)

    def _stacked(self) -> dict[int, tuple[Rows, Array]]:
        """By depth: the rows, and their curves as (rows × roles × depth), NaN for what lacks."""
        members: dict[int, list[int]] = defaultdict(list)
        for row, own in enumerate(self._curves):
            for depth in {curve.size for curve in own.values()}:
                members[depth].append(row)
        return {
            depth: (np.array(rows), np.stack([_block(self._curves[row], depth) for row in rows]))
            for depth, rows in members.items()
        }

    def _table(self, own: Mapping[Role, Array], near: int | None) -> Array:
        """Every correlation: (2 statistics × roles × rows), NaN where undefined."""
        table = np.full((2, len(ROLES), len(self.towers)), np.nan)
        for size in {curve.size for curve in own.values()}:
            block = _block(own, size)
            for depth, (rows, _) in self._stacks.items():
                if near is not None and not like_depth(near, depth):
                    continue
                length = max(depth, size)
                for statistic in (RAW, DETRENDED):
                    mine = unit(stretched(block, length), detrend=statistic == DETRENDED)
                    theirs = self._unit(depth, length, statistic)
                    found = np.einsum("krd,rd->rk", theirs, mine)
                    known = ~np.isnan(found)
                    both = np.where(known, found.clip(-1, 1), table[statistic][:, rows])
                    table[statistic][:, rows] = both
        return table

    def _unit(self, depth: int, length: int, statistic: int) -> Array:
        key = (depth, length, statistic)
        if key not in self._units:
            others = stretched(self._stacks[depth][1], length)
            self._units[key] = unit(others, detrend=statistic == DETRENDED)
        return self._units[key]

    def _means(self, table: Array, tower: TowerProfile) -> Array:
        """The mean over the roles both have: (2 × rows), NaN where there is none."""
        fused = self._fused | is_fused(tower)
        split, pool = (
            _nanmean(table[:, [PLACE[role] for role in roles]]) for roles in (SPLIT, POOLED)
        )
        means = np.where(fused, pool, split)
        means[:, self._kinds != KINDS.index(tower.kind)] = np.nan
        return means


def _nanmean(table: Array) -> Array:
    """The mean over the second axis of what is not NaN; NaN where nothing is left."""
    known = ~np.isnan(table)
    count = known.sum(axis=1)
    total = np.where(known, table, 0).sum(axis=1)
    mean: Array = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean


def _block(own: Mapping[Role, Array], depth: int) -> Array:
    """The curves of one depth: (roles × depth), NaN where there is none."""
    block = np.full((len(ROLES), depth), np.nan)
    for place, role in enumerate(ROLES):
        if role in own and own[role].size == depth:
            block[place] = own[role]
    return block


def _depth(own: Mapping[Role, Array]) -> int:
    return max((curve.size for curve in own.values()), default=0)
