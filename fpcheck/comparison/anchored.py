"""Anchored forms compared: a correlation for each pair of layers, and how the labels matter."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fpcheck.signature.anchored import FEWEST
from fpcheck.signature.arrays import ANCHORS, FORM, QK, VO, Arrays, Bytes
from fpcheck.signature.forms import order

SHUFFLES = 199  # with the labels as they are, 200: the smallest share is 0.005

Table = NDArray[np.float64]
Singles = NDArray[np.float32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Forms:
    """A tower's forms, ready to be compared with those of many references."""

    arrays: Arrays
    _rows: dict[tuple[str, int, bytes], tuple[Singles, Singles]] = field(default_factory=dict)

    def rows(self, name: str, entries: int, known: Flags) -> tuple[Singles, Singles]:
        """The first entries whose anchors are known (layers × entries), and each layer's length.

        The length is NaN in a layer without a form.
        """
        key = name, entries, known.tobytes()
        if key not in self._rows:
            self._rows[key] = _rows(self.arrays.forms[name][:, :entries], known)
        return self._rows[key]


def _rows(form: Bytes, known: Flags) -> tuple[Singles, Singles]:
    values = form.astype(np.float32)
    if not known.all():
        values = values[:, _entries(known)[: form.shape[1]]]
    lengths = np.sqrt(np.einsum("le,le->l", values, values))
    lengths[lengths == 0] = np.nan
    return values, lengths


def _entries(known: Flags) -> Flags:
    """Which entries, in the recipe's order, are of two anchors that are known."""
    flags: Flags = np.outer(known, known).reshape(-1)[order()]
    return flags


@dataclass(frozen=True, eq=False)
class FormTable:
    """Correlations for each pair of layers (checkpoint × reference); NaN where one has no form."""

    qk: Table
    vo: Table

    @cached_property
    def mean(self) -> Table:
        """The mean of both forms, which is what was calibrated; NaN where a layer lacks one."""
        mean: Table = (self.qk + self.vo) / 2
        return mean

    @property
    def measured(self) -> tuple[int, int]:
        """Of how many layers of each there are forms."""
        known = ~np.isnan(self.mean)
        return int(known.any(axis=1).sum()), int(known.any(axis=0).sum())


def form_table(one: Forms, other: Forms) -> FormTable | None:
    """How the forms of two towers correlate.

    None where they have too few anchors in common, or one has no layer with both forms.
    """
    known = one.arrays.anchors & other.arrays.anchors
    if int(known.sum()) < FEWEST or not (one.arrays.forms and other.arrays.forms):
        return None
    tables: Mapping[str, Table] = {name: _correlated(one, other, name, known) for name in (QK, VO)}
    table = FormTable(tables[QK], tables[VO])
    return table if min(table.measured) else None


def _correlated(one: Forms, other: Forms, name: str, known: Flags) -> Table:
    """Cosines, which are correlations: forms are double-centred."""
    entries = min(one.arrays.forms[name].shape[1], other.arrays.forms[name].shape[1])
    (own, length), (theirs, other_length) = (
        forms.rows(name, entries, known) for forms in (one, other)
    )
    found: Table = (own @ theirs.T / length[:, None] / other_length).astype(np.float64)
    return found


def mantel(one: Arrays, other: Arrays, layer: int, reference: int) -> float | None:
    """The share of relabellings of the anchors under which two layers correlate as well or better.

    None where neither has all entries of its forms. The shuffles are the same for everybody.
    """
    full, part, own, theirs = one, other, layer, reference
    if full.forms[QK].shape[1] < FORM:
        full, part, own, theirs = other, one, reference, layer
    if full.forms[QK].shape[1] < FORM:
        return None
    (known,) = np.nonzero(one.anchors & other.anchors)
    squares = {name: _square(full.forms[name][own]) for name in (QK, VO)}
    draw = np.random.Generator(np.random.Philox(key=2))
    score = _score(squares, part, theirs, np.arange(ANCHORS))
    reached = 0
    for _ in range(SHUFFLES):
        labels = np.arange(ANCHORS)
        labels[known] = draw.permutation(known)
        reached += _score(squares, part, theirs, labels) >= score
    return (reached + 1) / (SHUFFLES + 1)


def _square(form: Bytes) -> Table:
    square = np.empty(FORM)
    square[order()] = form
    return square.reshape(ANCHORS, ANCHORS)


def _score(
    squares: Mapping[str, Table], part: Arrays, layer: int, labels: NDArray[np.intp]
) -> float:
    """The sum of both forms' cosines under a relabelling."""
    total = 0.0
    for name, square in squares.items():
        theirs = part.forms[name][layer].astype(np.float64)
        own = square[np.ix_(labels, labels)].reshape(-1)[order()][: theirs.size]
        scale = math.sqrt(float(own @ own) * float(theirs @ theirs))
        total += float(own @ theirs) / scale if scale else 0.0
    return total
