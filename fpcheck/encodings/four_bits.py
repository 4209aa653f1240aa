"""bitsandbytes' NF4 and FP4: two codes a byte, the first in the high half, flat over the matrix.

Value = number of the code × absmax of its block of elements. With double quantisation, absmax is a
code itself: `nested_quant_map` at it × `nested_absmax` of its block + `nested_offset`. NF4 is from
QLoRA (arXiv:2305.14314). Both tables are bitsandbytes' own (`get_4bit_type`), which reads the
`quant_map` of no file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from fpcheck.checkpoint import Tensor
from fpcheck.checkpoint.coding import Block, Fetch
from fpcheck.encodings.quant_state import QuantState
from fpcheck.encodings.scaled import cut
from fpcheck.encodings.small_floats import Singles, pairs, singles

WIDE = {"F32": 4, "F16": 2, "BF16": 2}  # bytes of a scale that is not nested
MAP_BYTES = 1024  # of nested_quant_map: 256 float32
_NF4 = (
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
    *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
    *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
    *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
)
_FP4 = np.array([0, 0.0625, 8, 12, 4, 6, 2, 3], np.float32) / np.float32(12)
TABLES: Mapping[str, Singles] = {
    "nf4": np.array(_NF4, np.float32),
    "fp4": np.concatenate([_FP4, -_FP4]),
}
_PAIRS = {kind: pairs(table, low_first=False) for kind, table in TABLES.items()}


@dataclass(frozen=True, slots=True)
class FourBits:
    """Codes of one kind, nf4 or fp4, as one row of elements under scales of `state.size` each."""

    kind: str
    codes: Tensor
    state: QuantState
    absmax: Tensor
    nested: tuple[Tensor, Tensor] | None = None

    @property
    def scheme(self) -> str:
        """The kind, and whether its scales are quantised too."""
        return f"bitsandbytes, {self.kind.upper()}{' with nested scales' if self.nested else ''}"

    @property
    def stored(self) -> tuple[Tensor, ...]:
        """The codes and all that scales them."""
        return (self.codes, self.absmax, *(self.nested or ()))

    def blocks(self) -> Iterator[Block]:
        """Whole rows, or parts of a row that hold whole blocks of scales."""
        return cut(self.state.shape, self.state.size)

    def values(self, block: Block, fetch: Fetch) -> Singles:
        """The products, in float32."""
        start = block.row * self.state.shape[1] + block.column
        stop, size = start + block.elements, self.state.size
        stored = np.frombuffer(fetch(self.codes, start // 2, (stop + 1) // 2), np.uint8)
        numbers = _PAIRS[self.kind][stored].view(np.float32)[start % 2 :][: block.elements]
        with np.errstate(all="ignore"):  # what is not finite is told by those who measure
            scales = self._scales(start // size, -(-stop // size), fetch)
            if start % size or stop % size:
                numbers *= np.repeat(scales, size)[start % size :][: block.elements]
            else:
                parts = numbers.reshape(-1, size)
                parts *= scales[:, np.newaxis]
        return numbers.reshape(block.rows, block.columns)

    def _scales(self, start: int, stop: int, fetch: Fetch) -> Singles:
        nested = self.state.nested
        if self.nested is None or nested is None:
            size = WIDE[self.absmax.dtype]
            return singles(fetch(self.absmax, start * size, stop * size), self.absmax.dtype)
        absmax, numbers = self.nested
        first, last = start // nested.size, -(-stop // nested.size)
        coarse = np.frombuffer(fetch(absmax, first * 4, last * 4), "<f4")
        table = np.frombuffer(fetch(numbers, 0, MAP_BYTES), "<f4")
        codes = np.frombuffer(fetch(self.absmax, start, stop), np.uint8)
        places = np.arange(start, stop) // nested.size - first
        found: Singles = table[codes] * coarse[places] + np.float32(nested.offset)
        return found
