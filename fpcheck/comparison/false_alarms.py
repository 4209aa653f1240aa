"""How often references of different families reach a threshold against each other."""

from __future__ import annotations

import numpy as np

from fpcheck.comparison.background import Background, background, like_depth
from fpcheck.comparison.index import RAW, ProfileIndex
from fpcheck.references import Library


def false_alarms(library: Library, threshold: float) -> Background:
    """The highest raw score of each family against strangers of like depth, and who reaches it."""
    index = ProfileIndex(library)
    families = np.array([library.family(r.id) for r in library.references], dtype=object)
    best: dict[str, float] = {}
    for place, reference in enumerate(library.references):
        values = index.scores(reference.signature.towers).values[RAW]
        strangers = (families != families[place]) & ~np.isnan(values)
        strangers &= like_depth(int(index.reference_depths[place]), index.reference_depths)
        highest = values[strangers].max(initial=-1.0)
        best[families[place]] = max(best.get(families[place], -1.0), float(highest))
    return background(list(best.values()), threshold)
