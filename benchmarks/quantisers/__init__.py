"""Quantisers written from the formats' definitions, whole matrices at a time.

They share nothing with fpcheck's decoders. Each gives what a matrix is stored as, and the values
that the definition gives to just that, in float64. All round to the nearest: how well a quantiser
chooses its codes is another matter than how they are read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Array = NDArray[Any]


class Stored(NamedTuple):
    """A tensor in a safetensors file: the name of its dtype, which numpy may not know."""

    dtype: str
    array: Array


class Coded(NamedTuple):
    """The tensors of a matrix by what follows the module's name, and its values."""

    tensors: Mapping[str, Stored]
    values: Matrix


Quantise = Callable[[Matrix], Coded]


def nearest(table: Array, numbers: Array) -> NDArray[np.int64]:
    """The place in a table of the number that is nearest to each."""
    order = np.argsort(table, kind="stable")
    ascending = table[order].astype(np.float64)
    found: NDArray[np.int64] = order[
        np.searchsorted((ascending[1:] + ascending[:-1]) / 2, numbers, side="right")
    ]
    return found


def grouped(matrix: Matrix, size: int) -> Matrix:
    """Each row in groups of so many columns: [rows, groups, size]."""
    return matrix.reshape(matrix.shape[0], -1, size)


def group_size(columns: int, most: int = 128) -> int:
    """The largest power of two, of at most `most`, that divides so many columns."""
    return min(most, columns & -columns)
