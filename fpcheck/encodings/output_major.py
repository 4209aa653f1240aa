"""Matrices whose codes are stored by output channel: compressed-tensors, and AWQ's GEMV format.

A value is scale × (code − zero); scale and zero belong to an output channel and a group of its
input channels. It is returned as it is, not rounded to half precision as kernels do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fpcheck.checkpoint import Tensor
from fpcheck.checkpoint.coding import BLOCK, Block, Fetch, Values
from fpcheck.encodings.groups import Groups, scaled
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


@dataclass(frozen=True)
class OutputMajor:
    """How a matrix of `shape` (out, in) follows from codes, scales and zero points.

    Codes are int8, or packed along the input channels with `offset` added. Zero points are absent,
    int8, or packed with the same offset: along the output channels, or `zeros_across` along the
    groups. Of one element, scales and zero points serve the whole matrix.
    """

    scheme: str
    shape: tuple[int, int]
    bits: int
    groups: Groups
    codes: Tensor
    scales: Tensor
    zeros: Tensor | None = None
    offset: int = 0
    zeros_across: bool = False

    @property
    def stored(self) -> tuple[Tensor, ...]:
        """Every tensor that takes part."""
        optional = (self.zeros, self.groups.order)
        return (self.codes, self.scales, *(tensor for tensor in optional if tensor))

    def blocks(self) -> Iterator[Block]:
        """Ranges of output channels, of all input channels where they fit: one read each."""
        out, channels = self.shape
        columns = min(channels, BLOCK // WORD * WORD)
        rows = max(BLOCK // columns, 1)
        for row in range(0, out, rows):
            for column in range(0, channels, columns):
                yield Block(row, min(rows, out - row), column, min(columns, channels - column))

    def values(self, block: Block, fetch: Fetch) -> Values:
        """The values of a block. Raises FormatError for groups that are none."""
        rows = (block.row, block.row + block.rows)
        columns = (block.column, block.column + block.columns)
        place = self.groups.of(*columns, fetch)
        scales, zeros = self._scales(rows, fetch).T, self._zeros(rows, fetch)
        if zeros is not None:
            zeros = np.broadcast_to(zeros.T, (len(scales), zeros.shape[0]))
        return scaled(self._codes(rows, columns, fetch).T, zeros, scales, place).T

    def _codes(self, rows: Span, columns: Span, fetch: Fetch) -> Values:
        if self.codes.dtype == "I8":
            return rectangle(self.codes, fetch, rows, columns).astype(np.float32)
        words = (columns[0] * self.bits // WORD, words_for(columns[1], self.bits))
        fields = across(rectangle(self.codes, fetch, rows, words), self.bits)
        found = fields[:, : columns[1] - columns[0]]
        if not self._zeros_cancel:
            found -= self.offset
        return found

    @property
    def _zeros_cancel(self) -> bool:
        """Whether zero points are packed with the same offset as codes."""
        return self.zeros is not None and self.zeros.dtype == "I32"

    def _scales(self, rows: Span, fetch: Fetch) -> Values:
        if self.scales.count == 1:
            return numbers(self.scales, fetch, (0, 1), (0, 1))
        return numbers(self.scales, fetch, rows, (0, self.scales.shape[1]))

    def _zeros(self, rows: Span, fetch: Fetch) -> Values | None:
        zeros = self.zeros
        if zeros is None:
            return None
        if zeros.dtype == "I8":
            span = (0, 1) if zeros.count == 1 else rows
            return rectangle(zeros, fetch, span, (0, zeros.shape[1])).astype(np.float32)
        if self.zeros_across:
            return across(rectangle(zeros, fetch, rows, (0, zeros.shape[1])), self.bits)
        step, fields = period(self.bits)
        first = rows[0] // fields
        span = (first * step, min(-(-rows[1] // fields) * step, zeros.shape[0]))
        found = down(rectangle(zeros, fetch, span, (0, zeros.shape[1])), self.bits)
        return found[rows[0] - first * fields : rows[1] - first * fields]
