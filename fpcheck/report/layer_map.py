"""The table of layers × layers as a picture sees it: small enough, and with layers' numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fpcheck.comparison import Match
from fpcheck.comparison.evidence import Aligned, Scores, WeightEvidence
from fpcheck.signature import Signature

Span = tuple[int, int]  # the first and the last layer's number of a row or column
KINDS = {
    "samples": "correlation of the weights at fixed positions",
    "forms": "correlation of the anchored attention forms",
}


@dataclass(frozen=True)
class Place:
    """Where a step of the path lies on the map."""

    row: int
    column: int
    step: Aligned


@dataclass(frozen=True)
class LayerMap:
    """Scores by row (the checkpoint's layers) and column (the reference's), NaN where none is.

    Where there are too many layers for a picture, several share a row and column, and the highest
    score of them is shown. `path` is empty where no layer is significant: chance alone led it.
    """

    scores: Scores
    rows: tuple[Span, ...]
    columns: tuple[Span, ...]
    path: tuple[Place, ...]
    shows: str


def layer_map(
    signature: Signature, match: Match, weights: WeightEvidence, limit: int
) -> LayerMap | None:
    """The map with at most `limit` rows and columns; None when there is no table."""
    table = weights.table
    if table.ndim != 2 or not table.size:
        return None
    own = layers(signature, weights.tower, table.shape[0])
    theirs = layers(match.reference.signature, weights.reference_tower, table.shape[1])
    sizes = [math.ceil(length / limit) for length in table.shape]
    return LayerMap(
        scores=_highest(table, *sizes),
        rows=_spans(own, sizes[0]),
        columns=_spans(theirs, sizes[1]),
        path=_places(weights, own, theirs, sizes),
        shows=KINDS.get(weights.kind, "correlation"),
    )


def layers(signature: Signature, tower: str, count: int) -> tuple[int, ...]:
    """The numbers of a tower's layers; those from 0 where the tower has another number of them."""
    found = next((t.layers for t in signature.towers if t.name == tower), ())
    return found if len(found) == count else tuple(range(count))


def _highest(table: Scores, rows: int, columns: int) -> Scores:
    by_row = np.fmax.reduceat(table, range(0, table.shape[0], rows), axis=0)
    highest: Scores = np.fmax.reduceat(by_row, range(0, table.shape[1], columns), axis=1)
    return highest


def _spans(numbers: tuple[int, ...], size: int) -> tuple[Span, ...]:
    parts = (numbers[start : start + size] for start in range(0, len(numbers), size))
    return tuple((part[0], part[-1]) for part in parts)


def _places(
    weights: WeightEvidence, own: tuple[int, ...], theirs: tuple[int, ...], sizes: list[int]
) -> tuple[Place, ...]:
    found = weights.alignment
    if found is None or not found.hits:
        return ()
    row = {number: place // sizes[0] for place, number in enumerate(own)}
    column = {number: place // sizes[1] for place, number in enumerate(theirs)}
    return tuple(
        Place(row[step.layer], column[step.reference], step)
        for step in found.path
        if step.layer in row and step.reference in column
    )
