"""FP4: two E2M1 numbers a byte, the first in the low half, under a scale for so many of a row.

NVFP4 has an E4M3 scale for every 16 and one float32 for all: ModelOpt multiplies by it,
compressed-tensors divides. MXFP4 (OCP Microscaling Formats 1.0) has a power of two for every 32.
Names: ModelOpt's and compressed-tensors' `*-pack-quantized`, DeepSeek's for MXFP4 in I8.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import islice
from typing import NamedTuple

from fpcheck.checkpoint import Checkpoint, Tensor
from fpcheck.encodings.collecting import TWICE, Collection
from fpcheck.encodings.found import Found
from fpcheck.encodings.scaled import FOUR_BITS, Grid, Scaled
from fpcheck.encodings.siblings import NAMED, split, weight_scales

WEIGHT, PACKED = "weight", "weight_packed"


class Row(NamedTuple):
    """One way to store a matrix: leaves and dtypes of codes, scales and the scale of scales."""

    words: str
    codes: str
    dtypes: frozenset[str]
    scales: str
    scale_dtypes: frozenset[str]
    group: int
    overall: str = ""
    divides: bool = False

    @property
    def beside(self) -> frozenset[str]:
        """The leaves that lie beside the codes."""
        return frozenset({self.scales, self.overall} - {""})


_BYTES, _PLAIN = frozenset({"U8"}), frozenset({"U8", "F4"})
_E4M3, _E8M0 = frozenset({"F8_E4M3"}), frozenset({"U8", "F8_E8M0"})
ROWS = (
    Row("NVFP4", WEIGHT, _PLAIN, "weight_scale", _E4M3, 16, "weight_scale_2"),
    Row("NVFP4", PACKED, _BYTES, "weight_scale", _E4M3, 16, "weight_global_scale", divides=True),
    Row("MXFP4", WEIGHT, _PLAIN, "weight_scale", _E8M0, 32),
    Row("MXFP4", PACKED, _BYTES, "weight_scale", _E8M0, 32),
    Row("MXFP4", WEIGHT, frozenset({"I8"}), "scale", frozenset({"F8_E8M0"}), 32),
    Row("MXFP4", WEIGHT, frozenset({"I8"}), "weight_scale_inv", frozenset({"F8_E8M0"}), 32),
)


def float4(checkpoint: Checkpoint) -> Found:
    """The FP4 matrices that are stored beside their scales."""
    found = Collection()
    tensors = checkpoint.tensors
    beside = weight_scales(tensors)
    for tensor in tensors.values():
        module, leaf = split(tensor.name)
        if leaf not in (WEIGHT, PACKED) or len(tensor.shape) != 2:
            continue
        own = {scale: tensors[module + scale] for scale in beside.get(module, ())}
        if not _is_ours(tensor, own):
            continue
        twice = leaf == PACKED and module + WEIGHT in tensors
        coding = TWICE if twice else _coding(tensor, leaf, own)
        if isinstance(coding, str):
            found.refuse(tensor, coding, own.values(), module + WEIGHT)
        else:
            found.add(module + WEIGHT, coding, coding.shape)
    return found.found()


def _is_ours(tensor: Tensor, own: Mapping[str, Tensor]) -> bool:
    """Whether a tensor is FP4, well-formed or not, by its dtype and those of its scales."""
    _, leaf = split(tensor.name)
    if tensor.dtype == "F4" or (leaf == PACKED and tensor.dtype == "U8"):
        return True
    if tensor.dtype == "I8":
        exponents = (row.scales for row in ROWS if "I8" in row.dtypes)
        return any(leaf in own and own[leaf].dtype == "F8_E8M0" for leaf in exponents)
    return leaf == WEIGHT and tensor.dtype == "U8" and bool(own)


def _coding(codes: Tensor, leaf: str, own: Mapping[str, Tensor]) -> Scaled | str:
    """How the codes are to be read, or in words why they cannot be."""
    shape = codes.shape[0], codes.shape[1] * (1 if codes.dtype == "F4" else 2)
    for row in ROWS:
        if row.codes == leaf and codes.dtype in row.dtypes and row.beside == set(own):
            scales, overall = own[row.scales], own.get(row.overall)
            if scales.dtype in row.scale_dtypes:
                return _fitting(row, codes, shape, scales, overall)
    names = ", ".join(f"{leaf} ({tensor.dtype})" for leaf, tensor in islice(own.items(), NAMED))
    return f"4-bit codes with {names or 'no scales'} beside them, and no format has this"


def _fitting(
    row: Row, codes: Tensor, shape: tuple[int, int], scales: Tensor, overall: Tensor | None
) -> Scaled | str:
    rows, columns = shape[0], shape[1] // row.group
    if not math.prod(shape) or shape[1] % row.group or scales.shape != (rows, columns):
        return (
            f"scales of shape {list(scales.shape)}, one for every {row.group}, "
            f"do not fit a matrix of {list(shape)}"
        )
    if overall and (overall.dtype != "F32" or overall.count != 1):
        return f"{overall.name} is {overall.dtype} {list(overall.shape)}, not one F32"
    grid = Grid(scales, rows, columns, 1, row.group)
    return Scaled(row.words, FOUR_BITS, codes, shape, grid, overall, row.divides)
