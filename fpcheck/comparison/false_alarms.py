"""How often references of different families reach a threshold against each other."""

from __future__ import annotations

import numpy as np

from fpcheck.comparison.background import Background, background, like_depths
from fpcheck.comparison.index import RAW, ProfileIndex


def false_alarms(index: ProfileIndex, threshold: float) -> Background:
    """Each family's highest raw score against strangers of like depth, and how many reach it."""
    best = np.full(len(index.families), -np.inf)
    for place, reference in enumerate(index.library.references):
        values = index.best(reference.signature.towers)[RAW]
        strangers = (index.families != index.families[place]) & ~np.isnan(values)
        strangers &= like_depths(int(index.reference_depths[place]), index.reference_depths)
        family = index.families[place]
        best[family] = max(best[family], values[strangers].max(initial=-np.inf))
    return background(best[np.isfinite(best)], threshold)
