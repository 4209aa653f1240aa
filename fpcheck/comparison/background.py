"""How strangers score: the empirical null that every number is shown beside.

Strangers are references of another family whose depth is like the reference's own. Several
references of one family are one observation, its highest, because they are not independent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LIKE_DEPTH = 2.0  # like depth: within this factor; curves of very unlike length say less


@dataclass(frozen=True)
class Background:
    """What `families` unrelated families score, and how many reach the value that is judged."""

    families: int
    median: float
    highest: float
    reaching: int

    @property
    def rate(self) -> float:
        """The false-positive rate that this background supports: k/N, or the 3/N bound at k = 0.

        Zero hits in N independent families bound the rate by 3/N with 95 % confidence; there is
        no Gaussian tail to extrapolate. NaN without any stranger.
        """
        if not self.families:
            return math.nan
        return min(1.0, (self.reaching or 3) / self.families)

    @property
    def rank(self) -> int:
        """The place of the judged value among the families' scores, 1 when none reaches it."""
        return self.reaching + 1

    @property
    def bound(self) -> bool:
        """Whether `rate` is an upper bound from zero hits, not an estimate from hits."""
        return self.reaching == 0


def background(best: NDArray[np.float64], value: float) -> Background:
    """The background of `value` among `best`, the highest score of each unrelated family."""
    if not best.size:
        return Background(0, math.nan, math.nan, 0)
    # "not <", so that an undefined value is reached by all, never by none.
    reaching = int(np.count_nonzero(~(best < value)))
    return Background(best.size, float(np.median(best)), float(best.max()), reaching)


def like_depth(depth: int, other: int) -> bool:
    """Whether two depths are within the factor LIKE_DEPTH of each other."""
    return max(depth, other) <= min(depth, other) * LIKE_DEPTH


def like_depths(depth: int, others: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which depths are within the factor LIKE_DEPTH of one depth."""
    return (others * LIKE_DEPTH >= depth) & (others <= depth * LIKE_DEPTH)
