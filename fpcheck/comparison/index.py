"""Every reference's curves, stacked so that one profile is scored against all of them at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
from fpcheck.layouts import Role
from fpcheck.references import Library
from fpcheck.signature import TowerProfile

Rows = NDArray[np.intp]
RAW, DETRENDED = 0, 1  # places on the first axis of a table of correlations


@dataclass(frozen=True)
class Scores:
    """The best score of some towers against each reference, by the reference's place.

    `values` is (2 statistics × references), NaN where nothing compares.
    """

    values: Array
    _tower: Rows
    _row: Rows
    _tables: tuple[Array, ...]
    _towers: tuple[TowerProfile, ...]
    _curves: tuple[dict[Role, Array], ...]
    _index: ProfileIndex

    def score(self, place: int) -> ProfileScore | None:
        """The score against one reference in full; None where nothing compares."""
        raw, detrended = self.values[:, place].tolist()
        if np.isnan(raw):
            return None
        which, row = int(self._tower[place]), int(self._row[place])
        tower, own = self._towers[which], self._curves[which]
        roles = [role for role in self._index.roles(tower, row) if role in own]
        pairs = self._tables[which][:, :, row].T.tolist()
        depths = (_depth(own), int(self._index.depths[row]))
        return ProfileScore(
            raw=raw,
            detrended=detrended,
            roles={role: Pearson(*pairs[ROLES.index(role)]) for role in roles},
            layers=min(depths),
            depths=depths,
            tower=tower.name,
            reference_tower=self._index.towers[row].name,
        )


class ProfileIndex:
    """The curves of every reference tower, by role and depth. One row is one tower."""

    def __init__(self, library: Library) -> None:
        found = [(p, t) for p, r in enumerate(library.references) for t in r.signature.towers]
        self.towers = [tower for _, tower in found]
        self._size = len(library.references)
        self._places = np.array([place for place, _ in found], dtype=np.intp)
        self._cross = np.array([tower.cross for tower in self.towers], dtype=bool)
        self._fused = np.array([is_fused(tower) for tower in self.towers], dtype=bool)
        self._curves = [curves(tower) for tower in self.towers]
        self.depths = np.array([_depth(each) for each in self._curves], dtype=np.intp)
        self._stacks = self._stacked()
        self._units: dict[tuple[Role, int, int, bool], Array] = {}

    @property
    def reference_depths(self) -> Rows:
        """The depth of each reference's deepest tower."""
        deepest = np.zeros(self._size, dtype=np.intp)
        np.maximum.at(deepest, self._places, self.depths)
        return deepest

    def roles(self, tower: TowerProfile, row: int) -> list[Role]:
        """The roles in which a tower and the tower of a row are compared."""
        wanted = POOLED if is_fused(tower) or self._fused[row] else SPLIT
        return [role for role in wanted if role in self._curves[row]]

    def scores(self, towers: Sequence[TowerProfile]) -> Scores:
        """The best score of `towers` against every reference."""
        own = tuple(curves(tower) for tower in towers)
        tables = tuple(map(self._table, own))
        values = np.full((2, self._size), np.nan)
        which, rows = np.zeros(self._size, np.intp), np.zeros(self._size, np.intp)
        for number, tower in enumerate(towers):
            means = self._means(tables[number], tower)
            best = self._best_rows(means[RAW], values[RAW])
            places = self._places[best]
            values[:, places], which[places], rows[places] = means[:, best], number, best
        return Scores(values, which, rows, tables, tuple(towers), own, self)

    def _best_rows(self, raw: Array, so_far: Array) -> Rows:
        """Each reference's best row, where that is better than what it has so far."""
        order = np.argsort(raw, kind="stable")  # NaN last
        order = order[: len(order) - int(np.isnan(raw).sum())]
        best = np.full(self._size, -1, np.intp)
        best[self._places[order]] = order  # the last, that is the highest, stays
        found = best[best >= 0]
        return found[~(raw[found] <= so_far[self._places[found]])]

    def _stacked(self) -> dict[tuple[Role, int], tuple[Rows, Array]]:
        stacks: dict[tuple[Role, int], list[int]] = defaultdict(list)
        for row, each in enumerate(self._curves):
            for role, curve in each.items():
                stacks[role, curve.size].append(row)
        return {
            (role, depth): (np.array(rows), np.stack([self._curves[row][role] for row in rows]))
            for (role, depth), rows in stacks.items()
        }

    def _table(self, own: Mapping[Role, Array]) -> Array:
        """Every correlation: (2 statistics × roles × rows), NaN where undefined."""
        table = np.full((2, len(ROLES), len(self.towers)), np.nan)
        for (role, depth), (rows, _) in self._stacks.items():
            if role not in own:
                continue
            length = max(depth, own[role].size)
            curve = stretched(own[role], length)
            for place, detrend in ((RAW, False), (DETRENDED, True)):
                others = self._unit(role, depth, length, detrend)
                product = others @ unit(curve, detrend=detrend)
                table[place, ROLES.index(role), rows] = np.clip(product, -1, 1)
        return table

    def _unit(self, role: Role, depth: int, length: int, detrend: bool) -> Array:
        key = (role, depth, length, detrend)
        if key not in self._units:
            self._units[key] = unit(
                stretched(self._stacks[role, depth][1], length), detrend=detrend
            )
        return self._units[key]

    def _means(self, table: Array, tower: TowerProfile) -> Array:
        """The mean over the roles both have: (2 × rows), NaN where there is none."""
        fused = self._fused | is_fused(tower)
        split, pool = (
            _nanmean(table[:, [ROLES.index(role) for role in roles]]) for roles in (SPLIT, POOLED)
        )
        means = np.where(fused, pool, split)
        means[:, self._cross != tower.cross] = np.nan
        return means


def _nanmean(table: Array) -> Array:
    """The mean over the second axis of what is not NaN; NaN where nothing is left."""
    known = ~np.isnan(table)
    count = known.sum(axis=1)
    total = np.where(known, table, 0).sum(axis=1)
    mean: Array = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean


def _depth(own: Mapping[Role, Array]) -> int:
    return max((curve.size for curve in own.values()), default=0)
