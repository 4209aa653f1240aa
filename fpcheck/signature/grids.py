"""Where each element of a role's matrix lies in the tensor that stores it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.attention import Piece
from fpcheck.checkpoint import Tensor
from fpcheck.feed_forward import Placed
from fpcheck.fitting import matrix
from fpcheck.layouts import MATRICES, Role
from fpcheck.packing import spans

Offsets = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Grid:
    """A role's matrix, outputs × inputs: element (i, j) is number `rows[i] + columns[j]` of its
    tensor, in the order in which the tensor is stored.
    """

    tensor: Tensor
    role: str
    rows: Offsets
    columns: Offsets

    @property
    def shape(self) -> tuple[int, int]:
        """Outputs and inputs."""
        return self.rows.size, self.columns.size


def grids(piece: Piece) -> Iterator[Grid]:
    """The matrix of each role of a piece of attention; none of what is no matrix."""
    shape = matrix(piece.tensor)
    if len(shape) != 2:
        return
    for role in dict.fromkeys(role for role, _ in piece.pattern.sequence):
        if role in MATRICES:
            axis, own = channels(piece, role)
            other = np.arange(shape[1 - axis])
            rows, columns = (own, other) if axis == 0 else (other, own)
            stored = (rows * shape[1], columns)
            outputs, inputs = reversed(stored) if piece.transposed else stored
            yield Grid(piece.tensor, role, outputs, inputs)


def channels(piece: Piece, role: Role) -> tuple[int, Offsets]:
    """The stored axis along which a piece's roles alternate, and a role's places on it."""
    axis, runs = spans(piece.pattern, matrix(piece.tensor))
    own = [np.arange(start, stop) for each, start, stop in runs if each is role]
    return axis, np.concatenate(own)


def grid_of(placed: Placed) -> Grid:
    """The matrix of a feed-forward role."""
    rows = placed.first + np.arange(placed.rows) * placed.row_step
    return Grid(placed.tensor, placed.role, rows, np.arange(placed.columns) * placed.column_step)
