"""Samples as evidence: scores for a path, and what the layers along it add up to."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fpcheck.comparison.evidence import SampleEvidence
from fpcheck.comparison.reached import Pairs, hits, needed
from fpcheck.comparison.samples import SampleTable, at_least, correlations, equal_depth
from fpcheck.signature.arrays import Arrays

Table = NDArray[np.float64]
SIGNIFICANT = 1e-9  # the corrected probability from which a layer is a hit
FAINT = 5.0  # standard deviations: below it no pair of layers can be a hit, whatever is corrected
KINDS = 2  # of evidence that are looked at for each reference: samples and forms


def sample_scores(table: SampleTable, looks: int) -> Table:
    """Digits by which each pair of layers is more significant than it has to be, where it is."""
    scores = np.zeros_like(table.counts)
    tried = max(int(np.count_nonzero(table.counts)), 1) * looks * KINDS
    for i, j in np.argwhere(table.z > FAINT):
        probability = max(table.p(int(i), int(j)), 1e-300)
        scores[i, j] = -math.log10(probability * tried / SIGNIFICANT)
    return scores


def of_samples(
    table: SampleTable, pairs: Pairs, one: Arrays, other: Arrays, looks: int
) -> SampleEvidence | None:
    """The evidence of samples; `pairs` are the places of the layers that are hits on the path."""
    if not table.counts.any():
        return None
    agreements, count = equal_depth(table)
    p, best = _corrected(table, pairs)
    if pairs:
        rho, roles = correlations(one, other, pairs)
    else:
        rho, roles = math.sin(math.pi * (agreements / count - 0.5)) if count else math.nan, {}
    return SampleEvidence(
        rho=rho,
        roles=roles,
        agreements=agreements,
        count=count,
        p_equal_depth=at_least(agreements, count),
        p=p,
        p_best=best,
        p_holm=min(1.0, p * looks * KINDS),
        p_best_holm=min(1.0, best * looks * KINDS),
        hits=hits(pairs),
        of=min(table.counts.shape),
    )


def _corrected(table: SampleTable, pairs: Pairs) -> tuple[float, float]:
    """The probability of the layer that completes two thirds, and of the best one, corrected.

    Of the path's layers, a repeated one once, or without a path of each layer's best pair.
    """
    places = pairs or [(i, int(j)) for i, j in enumerate(table.z.argmax(axis=1))]
    once = {j: (i, j) for i, j in sorted(places, key=lambda p: table.z[p])} if pairs else {}
    found = sorted(once.values() or places, key=lambda place: -table.z[place])
    wanted, tried = needed(*table.counts.shape), int(np.count_nonzero(table.counts))
    last = table.p(*found[wanted - 1]) if wanted <= len(found) else 1.0
    return min(1.0, last * tried), min(1.0, table.p(*found[0]) * tried)
