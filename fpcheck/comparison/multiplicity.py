"""Probabilities corrected for how many were looked at, by the method of Holm (1979).

Over references and kinds of evidence: each comes corrected for its pairs of layers by Bonferroni's.
"""

from __future__ import annotations

from collections.abc import Sequence


def holm(probabilities: Sequence[float], looks: int) -> list[float]:
    """Each probability, corrected for `looks` tests of which these are some, in their order.

    The smallest is multiplied by the number of looks, the next by one less, and none becomes
    smaller than one before it: whatever the tests have to do with each other, the chance that any
    of them falls below α by chance stays below α.
    """
    order = sorted(range(len(probabilities)), key=probabilities.__getitem__)
    corrected, highest = [0.0] * len(order), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, probabilities[place] * max(looks - rank, 1)))
        corrected[place] = highest
    return corrected
