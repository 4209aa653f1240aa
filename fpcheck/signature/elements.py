"""Some of a tensor's elements, read on their own: rows of an embedding, a norm's gains."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fpcheck.checkpoint import Tensor
from fpcheck.checkpoint.coding import Coding
from fpcheck.signature.decode import STORED, decode
from fpcheck.source import Source, read

Doubles = NDArray[np.float64]


def vector(source: Source, tensor: Tensor) -> Doubles:
    """All elements of a small tensor. Raises SourceError."""
    return _range(source, tensor, 0, tensor.count)


def rows_of(source: Source, tensor: Tensor, rows: Sequence[int]) -> Doubles:
    """Rows of a matrix, in the order asked for: (rows × columns).

    Raises SourceError, and FormatError for codes that mean no values.
    """
    if tensor.coding:
        return _coded_rows(source, tensor.coding, tensor.shape, rows)
    columns = tensor.shape[1]
    return np.stack([_range(source, tensor, r * columns, (r + 1) * columns) for r in rows])


def _range(source: Source, tensor: Tensor, start: int, stop: int) -> Doubles:
    kind = STORED[tensor.dtype]
    first = tensor.start + start * kind.itemsize
    content = read(source, tensor.file, first, first + (stop - start) * kind.itemsize)
    values = np.empty(stop - start)
    decode(np.frombuffer(content, kind), tensor.dtype, values)
    return values


def _coded_rows(
    source: Source, coding: Coding, shape: tuple[int, ...], rows: Sequence[int]
) -> Doubles:
    found = np.empty((len(rows), shape[1]))
    for block in coding.blocks():
        inside = [n for n, row in enumerate(rows) if block.row <= row < block.row + block.rows]
        if inside:
            values = coding.values(block, partial(_fetch, source))
            own = [rows[n] - block.row for n in inside]
            found[inside, block.column : block.column + block.columns] = values[own]
    return found


def _fetch(source: Source, tensor: Tensor, start: int, stop: int) -> bytearray:
    return read(source, tensor.file, tensor.start + start, tensor.start + stop)
