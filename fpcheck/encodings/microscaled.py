"""MXFP4 in blocks: `<name>_blocks` [out, groups, 16] beside `<name>_scales` [out, groups].

Each group is 32 E2M1 numbers, two a byte, the first in the low half; its scale is a power of two,
in a byte with bias 127 (OCP Microscaling Formats 1.0). gpt-oss, whose format this is, stores its
experts so, stacked in one dimension more: they are nobody's attention, and are left alone.
"""

from __future__ import annotations

from fpcheck.checkpoint import Checkpoint, Tensor
from fpcheck.encodings.collecting import TWICE, Collection
from fpcheck.encodings.found import Found
from fpcheck.encodings.scaled import FOUR_BITS, Grid, Scaled
from fpcheck.encodings.siblings import split

GROUP = 32
SUFFIXES = {"_blocks": "_scales", ".blocks": ".scales"}  # the second: its original files


def microscaled(checkpoint: Checkpoint) -> Found:
    """The matrices that are stored in blocks."""
    found = Collection()
    for blocks in checkpoint.tensors.values():
        for suffix, scales in SUFFIXES.items():
            if blocks.name.endswith(suffix) and len(blocks.shape) == 3 and blocks.dtype == "U8":
                stem = blocks.name.removesuffix(suffix)
                if _name(stem) in checkpoint.tensors:
                    found.refuse(blocks, TWICE, name=_name(stem))
                else:
                    _add(found, _name(stem), blocks, checkpoint.tensors.get(stem + scales))
    return found.found()


def _name(stem: str) -> str:
    return stem if "weight" in split(stem)[1] else f"{stem}.weight"


def _add(found: Collection, name: str, blocks: Tensor, scales: Tensor | None) -> None:
    rows, groups, size = blocks.shape
    if scales is None:
        found.refuse(blocks, "it is stored in blocks without scales", name=name)
    elif size != GROUP // 2 or scales.shape != (rows, groups) or not blocks.count:
        shapes = f"blocks of shape {list(blocks.shape)} and scales of {list(scales.shape)}"
        found.refuse(blocks, f"{shapes} do not fit each other", [scales], name)
    elif scales.dtype not in ("U8", "F8_E8M0"):
        found.refuse(blocks, f"its scales are stored as {scales.dtype}", [scales], name)
    else:
        shape = rows, groups * GROUP
        grid = Grid(scales, rows, groups, 1, GROUP)
        found.add(name, Scaled("MXFP4", FOUR_BITS, blocks, shape, grid), shape)
