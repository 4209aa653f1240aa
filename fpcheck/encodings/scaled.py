"""A matrix of codes under a grid of scales: value = number of the code × scale of its place.

One scale for all, one a row, one for each so many of a row, one a rectangle: all are grids. The
products are float32, in the order in which the formats' own libraries multiply.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fpcheck.checkpoint import Tensor
from fpcheck.checkpoint.coding import BLOCK, Block, Fetch
from fpcheck.encodings.small_floats import E2M1, TABLES, Singles, pairs, singles

FOUR_BITS = "two E2M1 a byte"  # the low half first
_PAIRS = pairs(E2M1, low_first=True)
_BYTES = {"F32": 4, "F16": 2, "BF16": 2}  # of a scale; all others take one


@dataclass(frozen=True, slots=True)
class Grid:
    """Stored scales, row-major `rows` × `columns`, each for `height` × `width` elements."""

    tensor: Tensor
    rows: int
    columns: int
    height: int
    width: int

    def over(self, block: Block, fetch: Fetch) -> Singles:
        """The scales above a block: one row for each of its rows, or one row for all of them."""
        first, last = block.row // self.height, (block.row + block.rows - 1) // self.height
        left = block.column // self.width
        right = (block.column + block.columns - 1) // self.width + 1
        size = _BYTES.get(self.tensor.dtype, 1)
        start, stop = first * self.columns + left, last * self.columns + right
        found = singles(fetch(self.tensor, start * size, stop * size), self.tensor.dtype)
        if first == last:
            return found.reshape(1, -1)
        places = (block.row + np.arange(block.rows)) // self.height - first
        return found.reshape(last - first + 1, self.columns)[places]


@dataclass(frozen=True, slots=True)
class Scaled:
    """Codes in the form of a dtype, or `FOUR_BITS`, under a grid.

    `overall` is a scale of the scales, which multiplies them, or divides them; `factor` multiplies
    the products.
    """

    scheme: str
    form: str
    codes: Tensor
    shape: tuple[int, int]
    grid: Grid
    overall: Tensor | None = None
    divides: bool = False
    factor: float = 1.0

    @property
    def stored(self) -> tuple[Tensor, ...]:
        """The codes and the scales."""
        own = (self.codes, self.grid.tensor)
        return (*own, self.overall) if self.overall else own

    def blocks(self) -> Iterator[Block]:
        """Whole rows, or parts of a row that end where scales end."""
        return cut(self.shape, self.grid.width)

    def values(self, block: Block, fetch: Fetch) -> Singles:
        """The products, in float32."""
        numbers = self._numbers(block, fetch)
        with np.errstate(all="ignore"):  # what is not finite is told by those who measure
            scales = self._scales(block, fetch)
            multiply(numbers, scales, block.column, self.grid.width)
            if self.factor != 1.0:
                numbers *= np.float32(self.factor)
        return numbers

    def _numbers(self, block: Block, fetch: Fetch) -> Singles:
        a_byte = 2 if self.form == FOUR_BITS else 1
        start = (block.row * self.shape[1] + block.column) // a_byte
        stored = fetch(self.codes, start, start + block.elements // a_byte)
        if self.form == FOUR_BITS:
            numbers = _PAIRS[np.frombuffer(stored, np.uint8)].view(np.float32)
        elif self.form == "I8":
            numbers = np.frombuffer(stored, np.int8).astype(np.float32)
        else:
            numbers = TABLES[self.form][np.frombuffer(stored, np.uint8)]
        return numbers.reshape(block.rows, block.columns)

    def _scales(self, block: Block, fetch: Fetch) -> Singles:
        scales = self.grid.over(block, fetch)
        if self.overall is None:
            return scales
        stored = fetch(self.overall, 0, self.overall.stop - self.overall.start)
        overall = singles(stored, self.overall.dtype)
        return scales / overall if self.divides else scales * overall


def cut(shape: tuple[int, int], width: int) -> Iterator[Block]:
    """Whole rows; of rows that are larger than a block, parts of so many times `width`."""
    rows, columns = shape
    if columns <= BLOCK:
        most = BLOCK // columns
        for row in range(0, rows, most):
            yield Block(row, min(most, rows - row), 0, columns)
        return
    part = BLOCK // width * width or BLOCK
    for row in range(rows):
        for column in range(0, columns, part):
            yield Block(row, 1, column, min(part, columns - column))


def multiply(numbers: Singles, scales: Singles, column: int, width: int) -> None:
    """Multiply rows, which begin at a column, by scales that each serve `width` columns."""
    rows, columns = numbers.shape
    if scales.shape[1] == 1 or (column % width == 0 and columns % width == 0):
        parts = numbers.reshape(rows, scales.shape[1], -1)
        parts *= scales[:, :, np.newaxis]
    else:
        numbers *= scales[:, (column + np.arange(columns)) // width - column // width]
