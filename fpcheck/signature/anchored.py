"""The anchors' embeddings, made independent of the basis, and what they are multiplied with.

An orthogonal change of the residual stream's basis turns the anchors with it, and whitening by
their own Gram matrix keeps no scale: products of whitened anchors with a layer's projections do
not change. Gains of the norm that feeds attention are folded into the projections first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fpcheck.attention import Piece
from fpcheck.fitting import matrix
from fpcheck.layouts import Role

RIDGE = 0.1  # of the mean eigenvalue: small directions are noise, and would be blown up
LONGEST = 3.0  # median lengths: one long row would set the scale, and the mean, for all others
TINY = float(np.finfo(np.float64).tiny)
FEWEST = 32  # anchors without which a form says too little
KEPT = 4  # layers whose factors are kept: threads are never further apart
MAX_CHANNELS = 1 << 16  # of a matrix; beyond it no model has, and the products would take too much
INTO, OUT = frozenset({Role.Q, Role.K, Role.V}), frozenset({Role.O})

Singles = NDArray[np.float32]
Doubles = NDArray[np.float64]


class Left(NamedTuple):
    """What a stored matrix is multiplied by: (anchors × its length along `axis`)."""

    matrix: Singles
    axis: int


@dataclass(frozen=True, eq=False)
class Anchored:
    """The whitened anchors of a tower: (ANCHORS × width), rows of 0 for those that are not there.

    `known` says which are there; `gains` by layer is what its feeding norm multiplies each input
    by, without an entry where no norm does.
    """

    anchors: Singles
    known: NDArray[np.bool_]
    gains: Mapping[int, Singles]
    _folded: dict[int, Singles] = field(default_factory=dict)

    def left(self, layer: int, piece: Piece) -> Left | None:
        """The factor for a matrix of a layer; None for one that is in neither form."""
        shape, roles = matrix(piece.tensor), {role for role, _ in piece.pattern.sequence}
        into, out = bool(roles & INTO), bool(roles & OUT)
        if len(shape) != 2 or into == out or max(shape) > MAX_CHANNELS:
            return None
        axis = int(into is not piece.transposed)
        if shape[axis] != self.anchors.shape[1]:
            return None
        return Left(self._with_gain(layer) if into else self.anchors, axis)

    def _with_gain(self, layer: int) -> Singles:
        """The anchors times a layer's gain; the last few are kept, for units share them."""
        folded = self._folded.get(layer)
        if folded is None:
            gain = self.gains.get(layer)
            folded = self.anchors if gain is None else self.anchors * gain
            for old in list(self._folded)[: -KEPT + 1]:
                self._folded.pop(old, None)
            self._folded[layer] = folded
        return folded


def whitened(embeddings: Doubles) -> Doubles:
    """(XXᵀ + εI)^(-½) X of embeddings freed of their mean: (anchors × width).

    Raises ValueError when they are all the same, or not finite.
    """
    with np.errstate(all="ignore"):
        lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
        limit = LONGEST * float(np.median(lengths))
        clipped = embeddings * np.minimum(1.0, limit / np.maximum(lengths, TINY))
        centred = clipped - clipped.mean(axis=0)
        gram = centred @ centred.T
        mean = float(np.trace(gram)) / len(gram)
    if not (np.isfinite(gram).all() and mean > 0):
        raise ValueError("the anchors' embeddings are all the same, or not finite")
    values, vectors = np.linalg.eigh(gram)
    scales = 1 / np.sqrt(np.maximum(values, 0) + RIDGE * mean)
    white: Doubles = (vectors * scales) @ vectors.T @ centred
    return white
