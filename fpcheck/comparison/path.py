"""The profile compared once more, layer by layer along a path."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fpcheck.comparison.curves import unit
from fpcheck.comparison.profile import MIN_LAYERS, SPLIT
from fpcheck.signature import TowerProfile


def along(
    one: TowerProfile, other: TowerProfile, pairs: Sequence[tuple[int, int]]
) -> tuple[float, float] | None:
    """The correlation of standard deviations over aligned layers, raw and detrended.

    The mean over the roles that both have in at least MIN_LAYERS of them; None without any.
    """
    found: list[tuple[float, float]] = []
    for role in SPLIT:
        own, theirs = one.roles.get(role), other.roles.get(role)
        if own is None or theirs is None:
            continue
        both = [(own[i], theirs[j]) for i, j in pairs]
        stds = np.array([(a.std, b.std) for a, b in both if a and b]).T
        if stds.size and stds.shape[1] >= MIN_LAYERS:
            raw, detrended = (unit(stds, detrend=flag) for flag in (False, True))
            found.append((float(raw[0] @ raw[1]), float(detrended[0] @ detrended[1])))
    known = [pair for pair in found if not np.isnan(pair).any()]
    if not known:
        return None
    raw_mean, detrended_mean = np.mean(known, axis=0)
    return float(raw_mean), float(detrended_mean)
