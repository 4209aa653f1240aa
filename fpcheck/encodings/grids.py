"""How scales lie over a matrix, told from their shape and from what config.json states."""

from __future__ import annotations

import math
from collections.abc import Iterable

from fpcheck.checkpoint import Tensor
from fpcheck.encodings.scaled import Grid
from fpcheck.encodings.stated import Size

USUAL: Size = (128, 128)  # of DeepSeek-V3, whose FP8 all others follow
# Unsigned bytes are exponents, as transformers, compressed-tensors and vLLM read them.
SCALES = frozenset({"F32", "F16", "BF16", "F8_E8M0", "U8"})
SMALLEST_GROUP = 16  # elements of a row under one scale: no format has fewer


def grid_over(shape: Size, scales: Tensor, stated: Iterable[Size]) -> Grid | str:
    """The grid that stored scales make over a matrix, or in words why they make none.

    One scale; one a row; or blocks: of a stated size, else of the usual one, else of the one power
    of two that divides the matrix into so many.
    """
    if scales.dtype not in SCALES:
        return f"its scales are stored as {scales.dtype}"
    if not 1 <= math.prod(scales.shape) <= math.prod(shape):
        return _misfit(shape, scales)
    if math.prod(scales.shape) == 1:
        return Grid(scales, 1, 1, *shape)
    found = _two_dimensional(scales.shape)
    if found == (shape[0], 1):
        return Grid(scales, shape[0], 1, 1, shape[1])
    sizes = set(stated)
    fitting = {_capped(size, shape) for size in sizes or {USUAL} if _fits(size, shape, found)}
    if not fitting and not sizes:
        fitting = {size for size in [_divided(shape, found)] if size}
    if len(fitting) != 1 or not found:
        return _misfit(shape, scales)
    return Grid(scales, *found, *fitting.pop())


def _two_dimensional(shape: tuple[int, ...]) -> Size | None:
    """Rows and columns of scales; one dimension counts rows, and ModelOpt writes [r, 1, c, 1]."""
    if len(shape) == 1:
        return shape[0], 1
    if len(shape) == 4 and shape[1] == shape[3] == 1:
        return shape[0], shape[2]
    return (shape[0], shape[1]) if len(shape) == 2 else None


def _fits(size: Size, shape: Size, found: Size | None) -> bool:
    return min(size) > 0 and found == (-(-shape[0] // size[0]), -(-shape[1] // size[1]))


def _capped(size: Size, shape: Size) -> Size:
    """A size beyond the matrix means the same as the matrix's own."""
    return min(size[0], shape[0]), min(size[1], shape[1])


def _divided(shape: Size, found: Size | None) -> Size | None:
    if not found or shape[0] % found[0] or shape[1] % found[1]:
        return None
    rows, columns = shape[0] // found[0], shape[1] // found[1]
    plain = columns >= SMALLEST_GROUP and columns & (columns - 1) == 0
    return (rows, columns) if plain and rows & (rows - 1) == 0 else None


def _misfit(shape: Size, scales: Tensor) -> str:
    return f"scales of shape {list(scales.shape)} do not fit a matrix of {list(shape)}"
