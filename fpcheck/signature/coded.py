"""The moments of matrices whose values follow from codes, block by block."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from fpcheck.attention import Piece
from fpcheck.checkpoint.coding import Block, Values
from fpcheck.errors import NonFiniteError
from fpcheck.layouts import Role
from fpcheck.packing import spans
from fpcheck.signature.moments import Part, exact


def coded_parts(values: Values, piece: Piece, block: Block) -> Iterator[tuple[Role, Part]]:
    """What a block's values add to the moments of each role of its piece.

    Raises NonFiniteError.
    """
    for role, own in _by_role(values, piece, block):
        part = exact(np.array(own, np.float64, order="K").reshape(-1, order="A"))
        if part is None:
            raise _refusal(values, piece, block)
        yield role, part


def _by_role(values: Values, piece: Piece, block: Block) -> Iterator[tuple[Role, Values]]:
    """The block's rows, or columns, that serve each role."""
    axis, runs = spans(piece.pattern, piece.tensor.shape)
    first, count = (block.row, block.rows) if axis == 0 else (block.column, block.columns)
    chosen: dict[Role, list[Values]] = defaultdict(list)
    for role, start, stop in runs:
        low, high = max(start - first, 0), min(stop - first, count)
        if low < high:
            chosen[role].append(values[low:high] if axis == 0 else values[:, low:high])
    for role, parts in chosen.items():
        yield role, np.concatenate(parts, axis=axis) if len(parts) > 1 else parts[0]


def _refusal(values: Values, piece: Piece, block: Block) -> NonFiniteError:
    row, column = np.unravel_index(int(np.argmin(np.isfinite(values))), values.shape)
    at, tensor = [block.row + int(row), block.column + int(column)], piece.tensor
    return NonFiniteError(
        f"{tensor.file}: tensor {tensor.name!r}: decoded element {at} is {values[row, column]}",
        hint="no statistic of a tensor means anything with such a weight: quantise it again",
    )
