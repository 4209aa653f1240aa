"""Count, mean and standard deviation of parts, and of the whole that parts make."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from fpcheck.errors import CheckError
from fpcheck.signature import Moments
from fpcheck.signature.decode import Doubles

# Between these magnitudes float64 holds the squares of values and of their last digits.
SMALL, LARGE = 1e-130, 1e130


@dataclass(frozen=True, slots=True)
class Part:
    """The moments of some elements, before rounding.

    Holds the standard deviation rather than a sum of squares: that of the largest float64 values
    has no float64.
    """

    count: int
    mean: float
    std: float


def merge(parts: Iterable[Part]) -> Part:
    """The moments of all parts together. Their order decides the last bits: keep it fixed."""
    return functools.reduce(_join, parts)


def _join(one: Part, other: Part) -> Part:
    """Two parts by the method of Chan, Golub and LeVeque."""
    count = one.count + other.count
    mine, theirs = one.count / count, other.count / count
    gap = other.mean - one.mean
    std = math.hypot(
        one.std * math.sqrt(mine), other.std * math.sqrt(theirs), gap * math.sqrt(mine * theirs)
    )
    return Part(count, one.mean + gap * theirs, std)


def exact(values: Doubles) -> Part | None:
    """The moments of values of any magnitude; None when one is not finite. Overwrites `values`."""
    low, high = float(values.min()), float(values.max())  # NaN wherever there is one
    if not (math.isfinite(low) and math.isfinite(high)):
        return None
    if low == high:
        return Part(values.size, low, 0.0)
    largest = max(-low, high)
    scale = 0 if SMALL < largest < LARGE else math.frexp(largest)[1]
    if scale:
        np.ldexp(values, -scale, out=values)
    mean, std = _two_passes(values)
    return Part(values.size, math.ldexp(mean, scale), math.ldexp(std, scale))


def _two_passes(values: Doubles) -> tuple[float, float]:
    """Mean and standard deviation; the rounding error of the first mean is taken out again."""
    first = float(values.sum()) / values.size
    np.subtract(values, first, out=values)
    error = float(values.sum()) / values.size
    np.square(values, out=values)
    variance = float(values.sum()) / values.size - error * error
    return first + error, math.sqrt(max(variance, 0.0))


def rounded(part: Part) -> Moments:
    """Ten significant digits: what is reproducible, and more than any comparison needs.

    Raises CheckError when the mean is beyond float64's range.
    """
    mean, std = (float(f"{value:.10g}") + 0.0 for value in (part.mean, part.std))  # no -0.0
    if not (math.isfinite(mean) and math.isfinite(std)):
        raise CheckError("weights so large that their mean or spread is beyond float64's range")
    return Moments(part.count, mean, std)
