"""GGUF: matrices in ggml's blocks of quantised weights, and rows that a conversion has reordered.

The `gguf` package decodes the blocks: it is llama.cpp's own description of them in Python. A tensor
of a type that it cannot decode stays as it is, and so is said to be unmeasured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpcheck.checkpoint import Checkpoint, Tensor
from fpcheck.checkpoint.coding import BLOCK, Block, Fetch, Values
from fpcheck.checkpoint.dtypes import MEASURABLE
from fpcheck.encodings.collecting import Collection
from fpcheck.encodings.found import Found
from fpcheck.encodings.row_order import heads_of, stored_rows
from fpcheck.source.split import SUFFIX

WEIGHT, SCALE = ".weight", ".scale"
SCALED = frozenset({"NVFP4"})  # types whose weights are nothing without their scale
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one ggml type, `unit` elements in `size` bytes.

    Where `head` is not 0, the halves of each so many rows lie interleaved. `scale` multiplies the
    values: one number for all, or one for each matrix of a stack. Such a stack, and all that has
    more than two dimensions, is taken for one matrix of as many rows as there are.
    """

    tensor: Tensor
    unit: int
    size: int
    head: int = 0
    scale: Tensor | None = None

    @property
    def scheme(self) -> str:
        """The type, as ggml calls it."""
        return f"GGUF, {self.tensor.dtype}"

    @property
    def stored(self) -> tuple[Tensor, ...]:
        """The tensor, and its scale."""
        return (self.tensor, self.scale) if self.scale else (self.tensor,)

    def blocks(self) -> Iterator[Block]:
        """Whole rows, of whole heads or of half a head; else parts of one row."""
        columns = self.tensor.shape[-1]
        rows, most = self.tensor.count // columns, BLOCK // columns
        if not most:
            for row, column in np.ndindex(rows, -(-columns // BLOCK)):
                yield Block(row, 1, column * BLOCK, min(BLOCK, columns - column * BLOCK))
            return
        within = rows
        if self.head and most >= self.head:
            most -= most % self.head
        elif self.head:
            within = self.head // 2
        for first in range(0, rows, within):
            for row in range(first, first + within, most):
                yield Block(row, min(most, first + within - row), 0, columns)

    def values(self, block: Block, fetch: Fetch) -> Values:
        """The values, in float32, or float64 for F64."""
        places = self.tensor.shape[-1], block.column, block.columns
        pitch, left, width = (place // self.unit * self.size for place in places)
        rows = np.arange(block.row, block.row + block.rows)
        if self.head:
            rows = stored_rows(block.row, block.rows, self.head)
        first, last = int(rows.min()), int(rows.max())
        start, stop = first * pitch + left, last * pitch + left + width
        table = np.frombuffer(fetch(self.tensor, start, stop), np.uint8).reshape(-1, width)
        values = _values(table[rows - first] if self.head else table, self.tensor.dtype)
        return values * self._factors(block, self.scale, fetch) if self.scale else values

    def _factors(self, block: Block, scale: Tensor, fetch: Fetch) -> Values:
        factors = np.frombuffer(fetch(scale, 0, scale.stop - scale.start), "<f4")
        each = self.tensor.count // self.tensor.shape[-1] // scale.count
        return factors[np.arange(block.row, block.row + block.rows) // each, np.newaxis]


def ggml_rows(checkpoint: Checkpoint) -> Found:
    """The tensors of GGUF files that have to be decoded, scaled, or their rows put in order."""
    found = Collection()
    for tensor in checkpoint.tensors.values():
        if not tensor.file.endswith(SUFFIX) or not tensor.count or not tensor.shape:
            continue
        scale = _scale(tensor, checkpoint.tensors)
        fault = _misfit(scale, tensor) if scale else ""
        if fault:
            found.refuse(tensor, fault)
            continue
        coding = _coding(tensor, scale, checkpoint.config)
        if coding:
            found.add(tensor.name, coding, tensor.shape)
    return found.found()


def _scale(tensor: Tensor, tensors: Mapping[str, Tensor]) -> Tensor | None:
    """The tensor that llama.cpp may multiply a weight's outputs by: some of its graphs do."""
    stem = tensor.name.removesuffix(WEIGHT)
    return tensors.get(stem + SCALE) if stem != tensor.name else None


def _misfit(scale: Tensor, tensor: Tensor) -> str:
    """Why a scale cannot be a weight's, "" when it is."""
    if tensor.dtype not in SCALED:
        return f"a scale lies beside it, which llama.cpp does not apply to every {tensor.dtype}"
    matrices = tensor.shape[0] if len(tensor.shape) > 2 else 1
    if scale.dtype == "F32" and scale.shape in {(1,), (matrices,)}:
        return ""
    return f"its scale is {scale.dtype} {list(scale.shape)}, not one F32"


def _coding(tensor: Tensor, scale: Tensor | None, config: Mapping[str, Any]) -> Rows | None:
    """How to read a tensor; None for one that is read as it is, or cannot be."""
    layout = _layout(tensor.dtype)
    if not layout:
        return None
    heads = heads_of(tensor.name, tensor.shape[0], config) if len(tensor.shape) == 2 else 0
    if not heads and not scale and tensor.dtype in MEASURABLE:
        return None
    return Rows(tensor, *layout, tensor.shape[0] // heads if heads else 0, scale)


@cache
def _layout(kind: str) -> tuple[int, int] | None:
    """Elements and bytes of a block of a ggml type that can be decoded."""
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    unit, size = GGML_QUANT_SIZES[GGMLQuantizationType[kind]]
    if kind not in MEASURABLE:
        try:
            _values(np.zeros((1, size), np.uint8), kind)
        except NotImplementedError:
            return None
    return unit, size


def _values(table: Bytes, kind: str) -> Values:
    """The values of rows of bytes. Raises NotImplementedError for a type that has no decoder."""
    from gguf.constants import GGMLQuantizationType
    from gguf.quants import dequantize

    if kind == "F64":
        return table.view("<f8")
    with np.errstate(all="ignore"):  # what is not finite is told by those who measure
        return dequantize(table, GGMLQuantizationType[kind])
