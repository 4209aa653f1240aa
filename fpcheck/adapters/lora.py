"""A matrix with a LoRA added to it, block by block: base + scale · B · A.

With a magnitude it is DoRA (arXiv:2402.09353): each row of that sum, divided by its own length and
multiplied by the row's magnitude.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.checkpoint import Tensor
from fpcheck.checkpoint.coding import BLOCK, Block, Fetch
from fpcheck.encodings.small_floats import singles

Doubles = NDArray[np.float64]
ITEM = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}  # bytes
MAX_RANK = 8_192  # the largest that are trained have some hundreds


@dataclass(frozen=True, slots=True)
class Lora:
    """`a` is rank × inputs, `b` outputs × rank; the base is outputs × inputs, or `transposed`."""

    base: Tensor
    a: Tensor
    b: Tensor
    scale: float
    transposed: bool = False
    magnitude: Tensor | None = None

    @property
    def scheme(self) -> str:
        """What is added to what."""
        kind = "DoRA" if self.magnitude else "LoRA"
        return f"{kind} of rank {self._rank} on {self.base.dtype}"

    @property
    def stored(self) -> tuple[Tensor, ...]:
        """What the base is made of, and the adapter's factors."""
        base = self.base.coding.stored if self.base.coding else (self.base,)
        own = (self.a, self.b, self.magnitude)
        return (*base, *(tensor for tensor in own if tensor is not None))

    def blocks(self) -> Iterable[Block]:
        """The base's own blocks where it has some, else whole rows or parts of one."""
        return self.base.coding.blocks() if self.base.coding else self._cut()

    def values(self, block: Block, fetch: Fetch) -> Doubles:
        """The sum, in float64."""
        with np.errstate(all="ignore"):  # what is not finite is told by those who measure
            values = self._base(block, fetch)
            for first in range(0, self._rank, self._step(block)):
                ranks = slice(first, min(first + self._step(block), self._rank))
                left, right = self._factors(block, ranks, fetch)
                values += self.scale * (left @ right)
            if self.magnitude:
                place = slice(block.row, block.row + block.rows)
                lengths = np.sqrt(np.einsum("ij,ij->i", values, values))
                wanted = _rows(self.magnitude, place, 1, fetch).reshape(-1)
                values *= (wanted / lengths)[:, np.newaxis]
        return values

    @property
    def _rank(self) -> int:
        return self.a.shape[0]

    def _cut(self) -> Iterator[Block]:
        rows, columns = self.base.shape
        most = max(BLOCK // max(columns, self._rank), 1)
        for row in range(0, rows, most):
            for column in range(0, columns, BLOCK):
                yield Block(row, min(most, rows - row), column, min(BLOCK, columns - column))

    def _step(self, block: Block) -> int:
        """How many ranks at a time: no array is larger than a block, or than one rank."""
        return max(BLOCK // max(self.a.shape[1], block.rows, block.columns), 1)

    def _base(self, block: Block, fetch: Fetch) -> Doubles:
        if self.base.coding:
            return self.base.coding.values(block, fetch).astype(np.float64)
        columns = self.base.shape[1]
        start = block.row * columns + block.column
        values = _elements(self.base, start, start + block.elements, fetch)
        return values.reshape(block.rows, block.columns)

    def _factors(self, block: Block, ranks: slice, fetch: Fetch) -> tuple[Doubles, Doubles]:
        """The rows of B and the columns of A that the block needs, of some ranks."""
        rows = slice(block.row, block.row + block.rows)
        columns = slice(block.column, block.column + block.columns)
        outputs, inputs = (columns, rows) if self.transposed else (rows, columns)
        a = _rows(self.a, ranks, self.a.shape[1], fetch, inputs)
        b = _rows(self.b, outputs, self._rank, fetch, ranks)
        return (a.T, b.T) if self.transposed else (b, a)


def _rows(
    tensor: Tensor, rows: slice, columns: int, fetch: Fetch, wanted: slice | None = None
) -> Doubles:
    """Rows of a stored matrix, or the wanted columns of them, a few rows at a time."""
    cut = wanted or slice(0, columns)
    if columns > BLOCK:  # then the wanted part of each row is all that is read
        spans = ((row * columns + cut.start, row * columns + cut.stop) for row in _range(rows))
        return np.stack([_elements(tensor, *span, fetch) for span in spans])
    step = BLOCK // columns
    parts = []
    for row in range(rows.start, rows.stop, step):
        stop = min(row + step, rows.stop)
        stored = _elements(tensor, row * columns, stop * columns, fetch)
        parts.append(stored.reshape(stop - row, columns)[:, cut])
    return np.concatenate(parts)


def _range(rows: slice) -> range:
    return range(rows.start, rows.stop)


def _elements(tensor: Tensor, start: int, stop: int, fetch: Fetch) -> Doubles:
    size = ITEM[tensor.dtype]
    stored = fetch(tensor, start * size, stop * size)
    if tensor.dtype == "F64":
        return np.frombuffer(stored, "<f8").astype(np.float64)
    return singles(stored, tensor.dtype).astype(np.float64)
