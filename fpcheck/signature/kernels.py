"""The moments of many stored elements at the speed of memory.

One pass of sums and sums of squares where that is accurate, `moments.exact` where it is not. Which
of the two depends on the elements alone, so that the same elements always give the same bits.
"""

from __future__ import annotations

import math
import mmap

import numpy as np
from numpy.typing import NDArray

from fpcheck.signature.decode import Doubles, Stored, decode
from fpcheck.signature.moments import Part, exact, merge

# The most elements reduced in one go. Large, because threads wait for the interpreter's lock
# between any two calls of numpy, and that costs more than leaving the processor's cache does.
UNIT = 1 << 20
BLOCK = 1 << 18  # the same for float64, whose values take eight bytes
# Values, and squares, that are summed in their own precision; float64 between such rows. BLAS sums
# a row in about 32 lanes, so squares meet three roundings in theirs: longer rows lose what is small
# beside an outlier, and at 256 ones beside one 4,096 a row cost 2e-7 of the spread, at 128 9e-8.
ROW, SQUARES_ROW = 256, 128
SINGLES = 1 << 16  # elements; in fewer, the rounding errors of float32 rows do not average out
# float32 squares neither overflow nor underflow where the mean square lies between these, …
SMALL, LARGE = 2.0**-100, 2.0**100
CENTRED = 1 / 16  # … and no digits cancel where the squared mean is at most this much of it.
UPPER_HALF = np.uint32(0xFFFF_0000)
# Of a float32: its sign, and the exponent and fraction that a float16 fills when moved there.
HALF_BITS = np.int32(-0x7000_2000)
HALF_SCALE = np.float32(2.0**112)  # float16's exponent counts from -15, float32's from -127
HALF_LIMIT = 65_536.0  # the least magnitude that no float16 has: infinity and NaN, once moved
ONES = {np.dtype(kind): np.ones(ROW, kind) for kind in (np.float32, np.float64)}

Words = NDArray[np.uint32]
Floats = NDArray[np.float32] | Doubles


class Scratch:
    """The memory that one thread computes in: fresh memory would cost a page fault every 4 KB."""

    BYTES = UNIT * 4 + BLOCK * 8

    def __init__(self) -> None:
        self.words: Words = np.frombuffer(mmap.mmap(-1, UNIT * 4), "<u4")  # aligned to pages
        self.doubles: Doubles = np.frombuffer(mmap.mmap(-1, BLOCK * 8), np.float64)


def part_of(stored: Stored, dtype: str, scratch: Scratch) -> Part | None:
    """The moments of at most UNIT stored elements; None when one of them is not finite."""
    if dtype == "BF16" and stored.size >= SINGLES and not stored.size % 2:
        quick = _one_pass(_bfloat16(stored, scratch.words))
        if quick:
            return quick
    parts: list[Part] = []
    for start in range(0, stored.size, BLOCK):
        part = _block(stored[start : start + BLOCK], dtype, scratch)
        if part is None:
            return None
        parts.append(part)
    return merge(parts)


def _block(stored: Stored, dtype: str, scratch: Scratch) -> Part | None:
    """The moments of at most BLOCK stored elements, in float64."""
    values = scratch.doubles[: stored.size]
    if dtype != "F16" or not _float16(stored, scratch.words, values):
        decode(stored, dtype, values)
    return _one_pass(values) or exact(values)


def _one_pass(values: Floats) -> Part | None:
    """The moments from sums and sums of squares; None where they would not be accurate."""
    if values.size < ROW:
        return None
    rest = values.size % ROW
    body = values[: values.size - rest]
    rows, squared = body.reshape(-1, ROW), body.reshape(-1, SQUARES_ROW)
    sums = np.empty(len(rows) + len(squared), values.dtype)
    # No number depends on the threads of the BLAS: it has none for vectors as short as a row.
    np.vecdot(rows, ONES[values.dtype], out=sums[: len(rows)])
    np.vecdot(squared, squared, out=sums[len(rows) :])
    total, squares = np.add.reduceat(sums, (0, len(rows)), dtype=np.float64).tolist()
    if rest:
        last = values[-rest:].astype(np.float64)
        total, squares = total + float(last.sum()), squares + float(last @ last)
    mean, mean_square = total / values.size, squares / values.size
    # False for NaN, so that what is not finite goes the exact way and is found there.
    if SMALL < mean_square < LARGE and mean * mean <= CENTRED * mean_square:
        return Part(values.size, mean, math.sqrt(mean_square - mean * mean))
    return None


def _bfloat16(stored: Stored, words: Words) -> NDArray[np.float32]:
    """An even number of values, in another order, which moments do not see.

    Two at a time: the upper is a float32 once the lower is masked out, the lower once shifted up.
    """
    pairs, half = stored.view("<u4"), stored.size // 2
    np.bitwise_and(pairs, UPPER_HALF, out=words[:half])
    np.left_shift(pairs, np.uint32(16), out=words[half : 2 * half])
    return words[: 2 * half].view("<f4")


def _float16(stored: Stored, words: Words, out: Doubles) -> bool:
    """Write an even number of finite values to `out` in another order; False for any others.

    Half the time of numpy's conversion. A float16 at the top of a word, moved right by three, is a
    float32 of another scale: exactly, subnormals too. Its squares have more digits than float32
    sums would keep, hence float64.
    """
    if stored.size % 2:
        return False
    pairs, half = stored.view("<i4"), stored.size // 2
    moved = words[: stored.size].view("<i4")
    np.right_shift(pairs, 3, out=moved[:half])
    np.left_shift(pairs, 16, out=moved[half:])
    np.right_shift(moved[half:], 3, out=moved[half:])
    np.bitwise_and(moved, HALF_BITS, out=moved)
    singles = moved.view("<f4")
    np.multiply(singles, HALF_SCALE, out=singles)
    np.copyto(out, singles)
    return max(float(singles.max()), -float(singles.min())) < HALF_LIMIT
