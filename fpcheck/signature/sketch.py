"""Products of stored matrices with the anchors, unit by unit as they stream by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from fpcheck.signature.anchored import Doubles, Left, Singles
from fpcheck.signature.decode import TABLES, Stored


class Rectangle(NamedTuple):
    """Values of a matrix from a row and a column on: (rows × columns)."""

    row: int
    column: int
    values: Singles


def rectangles(values: Singles, first: int, columns: int) -> Iterator[Rectangle]:
    """Neighbouring elements of a matrix, the first of which has number `first`: what begins in the
    middle of a row, whole rows, and what ends in the middle of one.
    """
    row, column = divmod(first, columns)
    start = min(columns - column, values.size) if column else 0
    if start:
        yield Rectangle(row, column, values[:start].reshape(1, -1))
        row += 1
    whole = (values.size - start) // columns
    stop = start + whole * columns
    if whole:
        yield Rectangle(row, 0, values[start:stop].reshape(whole, columns))
    if stop < values.size:
        yield Rectangle(row + whole, 0, values[stop:].reshape(1, -1))


def add(total: Doubles, left: Left, part: Rectangle) -> None:
    """Add to the product of `left` and a matrix what a rectangle of the matrix contributes.

    In float64 between rectangles, so that it does not matter which of them are added first.
    """
    row, column, values = part
    rows, columns = values.shape
    if left.axis == 1:
        total[:, row : row + rows] += left.matrix[:, column : column + columns] @ values.T
    else:
        total[:, column : column + columns] += left.matrix[:, row : row + rows] @ values


def singles(stored: Stored, dtype: str) -> Singles:
    """Stored elements as float32; those of float64 are rounded."""
    if dtype in TABLES:
        return TABLES[dtype].astype(np.float32)[stored]
    if dtype != "BF16":
        return stored.astype(np.float32, copy=False)
    words = stored.astype("<u4")
    floats: Singles = np.left_shift(words, np.uint32(16), out=words).view("<f4")
    return floats
