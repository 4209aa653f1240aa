"""Merges: which combination of references comes nearest to a checkpoint's weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fpcheck.comparison.evidence import Merge, Parent, WeightEvidence
from fpcheck.comparison.levels import Level
from fpcheck.comparison.match import Match
from fpcheck.signature import Signature, TowerProfile
from fpcheck.signature.arrays import Arrays

MOST = 4  # parents; with more, a fit proves little
BETTER = 0.5  # of the best parent's residual that a merge must be below, …
ALONE = 1e-4  # … which must be more than a dtype's rounding
LEAST = 0.05  # share of a parent

Values = NDArray[np.float64]


def merge_of(signature: Signature, matches: Sequence[Match]) -> Merge | None:
    """The sum-to-one combination of matched references that explains the weights far better than
    any one of them; None when there is none. Least squares on the samples' differences.
    """
    found = [
        (match, match.weights[0])
        for match in matches
        if match.weights and match.level.rank >= Level.PARTIAL.rank
        if match.weights[0].kind == "samples" and match.weights[0].samples
    ]
    found.sort(key=lambda pair: -_rho(pair[1]))
    tower = next((t for t in signature.towers if found and t.name == found[0][1].tower), None)
    same = [(m, w) for m, w in found if tower and w.tower == tower.name][:MOST]
    while tower and len(same) > 1:
        values = _values(tower, same)
        merge = _fitted(values, same) if values is not None else None
        if merge is None or all(parent.share >= LEAST for parent in merge.parents):
            return merge
        least = min(merge.parents, key=lambda parent: parent.share)
        same = [(m, w) for m, w in same if m.reference.id != least.id]
    return None


def _rho(evidence: WeightEvidence) -> float:
    return evidence.samples.rho if evidence.samples else 0.0


def _values(tower: TowerProfile, found: Sequence[tuple[Match, WeightEvidence]]) -> Values | None:
    """The samples of the checkpoint and of each reference at the layers that all align with:
    (1 + references × samples), each role of each layer scaled by the checkpoint's.
    """
    ways = [
        {step.layer: step.reference for step in evidence.alignment.path if step.hit}
        for _, evidence in found
        if evidence.alignment
    ]
    theirs = [_tower(match, evidence) for match, evidence in found]
    shared = sorted(set.intersection(*map(set, ways))) if len(ways) == len(found) else []
    blocks = [
        _block(tower, theirs, [way[layer] for way in ways], layer, role)
        for layer in shared
        for role in sorted(tower.arrays.samples if tower.arrays else ())
    ]
    known = [block for block in blocks if block is not None]
    return np.concatenate(known, axis=1) if known else None


def _tower(match: Match, evidence: WeightEvidence) -> TowerProfile:
    return next(t for t in match.reference.signature.towers if t.name == evidence.reference_tower)


def _block(
    tower: TowerProfile,
    theirs: Sequence[TowerProfile],
    references: Sequence[int],
    layer: int,
    role: str,
) -> Values | None:
    """The samples of one role in one layer, of all; None where shapes differ or one has none."""
    at = [(tower, layer), *zip(theirs, references, strict=True)]
    rows, shapes = [], set()
    for each, number in at:
        arrays: Arrays | None = each.arrays
        if arrays is None or role not in arrays.samples:
            return None
        place = each.layers.index(number)
        rows.append(arrays.samples[role][place].astype(np.float64))
        shapes.add((*arrays.shapes[role][place].tolist(), rows[-1].size))
    if len(shapes) > 1:
        return None
    values = np.stack(rows)
    values = values[:, (values != 0).all(axis=0)]
    scale = np.sqrt(np.mean(values[0] ** 2)) if values.size else 0.0
    return values / scale if scale > 0 else None


def _fitted(values: Values, found: Sequence[tuple[Match, WeightEvidence]]) -> Merge | None:
    own, theirs = values[0], values[1:]
    power = float(own @ own)
    alone = min(float(np.sum((own - each) ** 2)) for each in theirs) / power
    differences = theirs[:-1] - theirs[-1]
    shares, *_ = np.linalg.lstsq(differences.T, own - theirs[-1], rcond=1e-6)
    every = [*shares.tolist(), 1 - float(shares.sum())]
    residual = float(np.sum((own - np.array(every) @ theirs) ** 2)) / power
    if alone <= ALONE or residual > BETTER * alone:
        return None
    parents = (
        Parent(match.reference.id, share, _rho(evidence))
        for (match, evidence), share in zip(found, every, strict=True)
    )
    return Merge(tuple(sorted(parents, key=lambda p: -p.share)), residual, alone)
