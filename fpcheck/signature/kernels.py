"""The moments of many stored elements at the speed of memory.

One pass of sums and sums of squares where that is accurate, `moments.exact` where it is not. Which
of the two depends on the elements alone, so that the same elements always give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from fpcheck.signature.decode import STORED, Stored, decode
from fpcheck.signature.moments import Part, exact, merge

# Elements reduced in one go. Large, because threads hand over the interpreter's lock at every
# numpy call, and that costs more than leaving the cache; small, because each has its own scratch.
UNIT = 1 << 19
# Values summed in their own precision, in about 32 lanes of 8; float64 between rows. In longer
# rows an outlier swallows what is small: at 2,048, one of 5,000 σ a row costs 2e-7 of the spread.
ROW = 256
QUICK = 1 << 14  # elements; for fewer, a second way to the same numbers is not worth its calls
# float32 squares neither overflow nor underflow where the mean square lies between these, …
SMALL, LARGE = 2.0**-100, 2.0**100
CENTRED = 1 / 16  # … and no digits cancel where the squared mean is at most this much of it.
# Of a float32: the sign, and the exponent and fraction that a float16 fills when moved there.
HALF_BITS = np.int32(-0x7000_2000)
HALF_SCALE = np.float32(2.0**112)  # float16's exponent counts from -15, float32's from -127
HALF_LIMIT = 65_536.0  # the least magnitude that no float16 has: infinity and NaN, once moved

Floats = NDArray[np.float32] | NDArray[np.float64]


class Scratch:
    """The memory that one thread computes in; fresh memory would cost a page fault every 4 KB."""

    BYTES = UNIT * (4 + 8)

    def __init__(self) -> None:
        self.words = np.empty(UNIT, np.dtype("<u4"))
        self.doubles = np.empty(UNIT, np.float64)


def part_of(stored: Stored, dtype: str, scratch: Scratch) -> Part | None:
    """The moments of at most UNIT stored elements; None when one of them is not finite."""
    body = stored.size - stored.size % (2 * ROW)
    quick = _quick(stored[:body], dtype, scratch) if body >= QUICK else None
    if quick is None:
        return _exact(stored, dtype, scratch)
    if body == stored.size:
        return quick
    tail = _exact(stored[body:], dtype, scratch)
    return tail and merge((quick, tail))


def _exact(stored: Stored, dtype: str, scratch: Scratch) -> Part | None:
    values = scratch.doubles[: stored.size]
    decode(stored, dtype, values)
    return exact(values)


def _quick(stored: Stored, dtype: str, scratch: Scratch) -> Part | None:
    """The moments from one pass over the values; None where they would not be accurate."""
    values = WIDEN[dtype](stored, scratch)
    if values is None:
        return None
    rows = values.reshape(-1, ROW)
    # One thread whatever the BLAS, since a row is short: no number depends on its threads.
    total = float(np.vecdot(rows, np.ones(ROW, rows.dtype)).sum(dtype=np.float64))
    squares = float(np.vecdot(rows, rows).sum(dtype=np.float64))
    mean, mean_square = total / stored.size, squares / stored.size
    # False for NaN, so that what is not finite goes the exact way and is found there.
    if SMALL < mean_square < LARGE and mean * mean <= CENTRED * mean_square:
        return Part(stored.size, mean, float(np.sqrt(mean_square - mean * mean)))
    return None


def _double(dtype: str, stored: Stored, scratch: Scratch) -> Floats:
    values = scratch.doubles[: stored.size]
    decode(stored, dtype, values)
    return values


def _bfloat16(stored: Stored, scratch: Scratch) -> Floats:
    """Two at a time: the upper one is a float32 once the lower is masked out, the lower shifted.

    The values come out in another order, which moments do not see.
    """
    pairs, half = stored.view("<u4"), stored.size // 2
    words = scratch.words[: stored.size]
    np.bitwise_and(pairs, np.uint32(0xFFFF_0000), out=words[:half])
    np.left_shift(pairs, np.uint32(16), out=words[half:])
    return words.view("<f4")


def _float16(stored: Stored, scratch: Scratch) -> Floats | None:
    """Two at a time, three times as fast as numpy's conversion; None when one is not finite.

    A float16 at the top of a word, moved right by three, is a float32 of another scale: exactly
    so, subnormals too. Its squares have more digits than float32 sums keep, hence float64.
    """
    pairs, half = stored.view("<i4"), stored.size // 2
    words = scratch.words[: stored.size].view("<i4")
    np.right_shift(pairs, 3, out=words[:half])
    np.left_shift(pairs, 16, out=words[half:])
    np.right_shift(words[half:], 3, out=words[half:])
    np.bitwise_and(words, HALF_BITS, out=words)
    singles = words.view("<f4")
    np.multiply(singles, HALF_SCALE, out=singles)
    if max(float(singles.max()), -float(singles.min())) >= HALF_LIMIT:
        return None
    values = scratch.doubles[: stored.size]
    np.copyto(values, singles)
    return values


# How the values of each dtype come to be floats that can be summed; every other way is by table.
WIDEN: Mapping[str, Callable[[Stored, Scratch], Floats | None]] = MappingProxyType(
    {
        **{dtype: partial(_double, dtype) for dtype in STORED},
        "F64": lambda stored, scratch: stored,
        "BF16": _bfloat16,
        "F16": _float16,
    }
)
