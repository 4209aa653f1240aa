"""bitsandbytes' LLM.int8(): I8 codes and `SCB`, the largest magnitude of each row.

Value = code × SCB / 127, in the order of its `int8_vectorwise_dequant` and by its own reciprocal
of 127. `weight_format` says how the codes are laid out; all but 0, row by row, were for single
GPUs and are no longer read by bitsandbytes itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from fpcheck.checkpoint import Checkpoint, Tensor
from fpcheck.encodings.collecting import Collection
from fpcheck.encodings.found import Found
from fpcheck.encodings.scaled import Grid, Scaled
from fpcheck.encodings.settings import no_method
from fpcheck.encodings.siblings import weight_scales
from fpcheck.encodings.small_reads import contents

METHODS, FLAG = frozenset({"bitsandbytes"}), "load_in_8bit"
WORDS = "bitsandbytes, int8"
SCALES, FORMAT = ".SCB", ".weight_format"
RECIPROCAL = 7.874015748718502e-3
ROW_BY_ROW = b"\0"


def bitsandbytes_int8(checkpoint: Checkpoint) -> Found:
    """The matrices in 8 bits."""
    found = Collection()
    pairs = list(_pairs(checkpoint))
    formats = [checkpoint.tensors.get(_module(weight) + FORMAT) for weight, _ in pairs]
    stated = contents(checkpoint.source, filter(None, formats), 1)
    beside = weight_scales(checkpoint.tensors) if pairs else {}
    fault = no_method(checkpoint, METHODS, FLAG) if pairs else ""
    for (weight, scales), layout in zip(pairs, formats, strict=True):
        shape = weight.shape[0], weight.shape[1]
        others = [tensor for tensor in (scales, layout) if tensor]
        if scales.dtype != "F32" or scales.count != shape[0] or not weight.count:
            kept = f"{scales.dtype} {list(scales.shape)}"
            found.refuse(weight, f"SCB is {kept}, not one F32 for each of {shape[0]} rows", others)
        elif beside.get(_module(weight) + "."):
            found.refuse(weight, "it has scales of another kind than SCB beside it", others)
        elif layout and stated.get(layout.name) != ROW_BY_ROW:
            found.refuse(weight, "its weight_format is not 0, row by row", others)
        elif fault:
            found.refuse(weight, fault, others)
        else:
            grid = Grid(scales, shape[0], 1, 1, shape[1])
            coding = Scaled(WORDS, "I8", weight, shape, grid, factor=RECIPROCAL)
            found.add(weight.name, coding, shape, others)
    return found.found()


def _pairs(checkpoint: Checkpoint) -> Iterator[tuple[Tensor, Tensor]]:
    """Every matrix in 8 bits and what should be its SCB."""
    for name, scales in checkpoint.tensors.items():
        weight = checkpoint.tensors.get(name.removesuffix(SCALES) + ".weight")
        if name.endswith(SCALES) and weight and weight.dtype == "I8" and len(weight.shape) == 2:
            yield weight, scales


def _module(weight: Tensor) -> str:
    return weight.name.removesuffix(".weight")
