"""Whether samples are the same values, up to the rounding of a dtype."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from fpcheck.comparison.samples import roles_of, row_of
from fpcheck.signature.arrays import Arrays

ROUNDING = 2.0**-8  # of a value: what bfloat16 keeps, with a little room
STEP = 1e-7  # a little more than float16, in which samples are kept, has between values near 0

Table = NDArray[np.float64]


def same_values(one: Arrays, other: Arrays, pairs: Iterable[tuple[int, int]]) -> bool:
    """Whether every sample of the pairs of layers is equal up to the rounding of bfloat16."""
    seen = False
    for layer, reference in pairs:
        for role in roles_of(one, other):
            own, theirs = row_of(one, role, layer), row_of(other, role, reference)
            if own.size != theirs.size or (own.size and _differ(own, theirs)):
                return False
            seen = seen or bool(own.any())
    return seen


def _differ(own: Table, theirs: Table) -> bool:
    return bool(
        np.any(np.abs(own - theirs) > ROUNDING * np.maximum(np.abs(own), np.abs(theirs)) + STEP)
    )
