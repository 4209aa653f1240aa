"""Matrices whose codes are stored by input channel: GPTQ, and AWQ's GEMM format.

A value is scale × (code − zero); scale and zero belong to a group of input channels and one output
channel. It is returned as it is, not rounded to half precision as kernels do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fpcheck.checkpoint import Tensor
from fpcheck.checkpoint.coding import BLOCK, Block, Fetch, Values
from fpcheck.encodings.groups import Groups, Index, scaled
from fpcheck.encodings.packed import (
    WORD,
    Span,
    across,
    down,
    numbers,
    period,
    rectangle,
    words_for,
)

# With more elements between the first and the last, groups of scales are read one by one.
SPREAD = 2 * BLOCK
# AWQ's order: the output channel, of eight, in each field of a word.
INTERLEAVED = (0, 2, 4, 6, 1, 3, 5, 7)


@dataclass(frozen=True)
class InputMajor:
    """How a matrix of `shape` (out, in) follows from codes, scales and zero points.

    Codes are packed along the input channels; `interleaved`, as AWQ does, along the output
    channels and in its order. `less_one` says that zero points are stored less one.
    """

    scheme: str
    shape: tuple[int, int]
    bits: int
    groups: Groups
    codes: Tensor
    scales: Tensor
    zeros: Tensor
    interleaved: bool = False
    less_one: bool = False

    @property
    def stored(self) -> tuple[Tensor, ...]:
        """Every tensor that takes part."""
        order = (self.groups.order,) if self.groups.order else ()
        return (self.codes, self.scales, self.zeros, *order)

    def blocks(self) -> Iterator[Block]:
        """Ranges of input channels, of all output channels where they fit: one read each."""
        out, channels = self.shape
        unit = 1 if self.interleaved else period(self.bits)[1]
        rows = out if unit * out <= BLOCK else BLOCK // unit // WORD * WORD
        columns = max(BLOCK // rows // unit, 1) * unit
        for column in range(0, channels, columns):
            for row in range(0, out, rows):
                yield Block(row, min(rows, out - row), column, min(columns, channels - column))

    def values(self, block: Block, fetch: Fetch) -> Values:
        """The values of a block. Raises FormatError for groups that are none."""
        rows = (block.row, block.row + block.rows)
        columns = (block.column, block.column + block.columns)
        spans, place = _spans(self.groups.of(*columns, fetch), block.rows)
        scales = np.concatenate([numbers(self.scales, fetch, span, rows) for span in spans])
        zeros = np.concatenate([self._zeros(span, rows, fetch) for span in spans])
        return scaled(self._codes(columns, rows, fetch), zeros, scales, place).T

    def _codes(self, columns: Span, rows: Span, fetch: Fetch) -> Values:
        if self.interleaved:
            words = rectangle(self.codes, fetch, columns, self._words(rows))
            return across(words, self.bits, INTERLEAVED)
        span = (columns[0] * self.bits // WORD, words_for(columns[1], self.bits))
        return down(rectangle(self.codes, fetch, span, rows), self.bits)[: columns[1] - columns[0]]

    def _zeros(self, groups: Span, rows: Span, fetch: Fetch) -> Values:
        words = rectangle(self.zeros, fetch, groups, self._words(rows))
        if self.interleaved:
            return across(words, self.bits, INTERLEAVED)
        count = rows[1] - rows[0]
        if self.less_one and WORD % self.bits:
            found = across(words, self.bits)[:, :count] + 1
            return np.remainder(found, 1 << self.bits, out=found)
        if self.less_one:  # with the carry that GPTQModel's subtraction before has borrowed
            words = words + np.uint32(sum(1 << at for at in range(0, WORD, self.bits)))
        return across(words, self.bits)[:, :count]

    def _words(self, rows: Span) -> Span:
        """Where the fields of output channels are, which begin with a word."""
        return rows[0] * self.bits // WORD, words_for(rows[1], self.bits)


def _spans(groups: Index, rows: int) -> tuple[list[Span], Index]:
    """The groups to read, and the place of each channel's group among them."""
    found, place = np.unique(groups, return_inverse=True)
    low, high = int(found[0]), int(found[-1]) + 1
    if (high - low) * rows <= SPREAD:
        return [(low, high)], groups - low
    return [(int(group), int(group) + 1) for group in found], place
