"""What a matrix whose stored numbers are codes offers, so that it can be measured block by block.

A quantised matrix lies in several tensors (codes, scales, zero points …). Whoever measures it wants
its values, block by block, and need not know which scheme made the codes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from fpcheck.checkpoint.header import Tensor

# The most elements of one block: a few arrays of so many float64 values are what a thread may hold.
BLOCK = 1 << 18

Values = NDArray[np.floating[Any]]


class Block(NamedTuple):
    """Rows `row:row + rows` and columns `column:column + columns` of a matrix."""

    row: int
    rows: int
    column: int
    columns: int

    @property
    def elements(self) -> int:
        """Number of elements."""
        return self.rows * self.columns


class Fetch(Protocol):
    """Reads bytes `start:stop` of a stored tensor, counted from the tensor's own first byte.

    What it returns is not to be written to. Raises SourceError when the bytes cannot be had.
    """

    def __call__(self, tensor: Tensor, start: int, stop: int) -> bytearray: ...


class Coding(Protocol):
    """How a matrix of `shape` (rows, columns) follows from stored tensors.

    Blocks and values depend on the stored tensors alone, never on who asks or in what order.
    """

    @property
    def scheme(self) -> str:
        """The scheme in words for people, such as "GPTQ, 4 bits"."""
        ...

    @property
    def stored(self) -> tuple[Tensor, ...]:
        """Every tensor that takes part."""
        ...

    def blocks(self) -> Iterable[Block]:
        """Blocks of at most BLOCK elements that cover the matrix, each element once."""
        ...

    def values(self, block: Block, fetch: Fetch) -> Values:
        """The values of a block: float32 or float64, of shape (rows, columns).

        Raises FormatError when the stored bytes cannot mean any.
        """
        ...
