"""Signature × library → matches: references, their evidence, and the level that it reaches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fpcheck.calibration import Calibration
from fpcheck.comparison.background import Background, background, like_depths
from fpcheck.comparison.curves import Array
from fpcheck.comparison.evidence import WeightEvidence
from fpcheck.comparison.identity import SAME_FILES, SAME_SAMPLES, identity
from fpcheck.comparison.index import DETRENDED, RAW, ProfileIndex, Scores
from fpcheck.comparison.levels import RESEMBLES, Level
from fpcheck.comparison.multiplicity import holm
from fpcheck.comparison.profile import ProfileScore
from fpcheck.comparison.reached import level_of, strength
from fpcheck.comparison.sample_evidence import KINDS
from fpcheck.comparison.weights import Weights, weight_evidence, weights_of, with_mantel
from fpcheck.reference import Reference
from fpcheck.signature import Signature

Flags = NDArray[np.bool_]
SHOWN = 10  # matches that get a background: each costs one pass over the library


@dataclass(frozen=True)
class Backgrounds:
    """What strangers of like depth score against the checkpoint and against the reference."""

    checkpoint_raw: Background
    checkpoint_detrended: Background
    reference_raw: Background
    reference_detrended: Background


@dataclass(frozen=True)
class Match:
    """A reference, the evidence, and the level that the evidence reaches.

    `identical` says in words why the weights are the same, "" when they are not known to be.
    `profiles` has the score of each of the checkpoint's towers, the highest first, so that none
    can hide another; () when no curve could be compared. `backgrounds` are those of the first,
    and computed for the first SHOWN matches only. `weights` is what the weights themselves say,
    one entry a tower, the strongest first; () where the reference has its profile alone, or the
    checkpoint could not be sampled.
    """

    reference: Reference
    level: Level
    profiles: tuple[ProfileScore, ...]
    identical: str = ""
    backgrounds: Backgrounds | None = None
    weights: tuple[WeightEvidence, ...] = ()

    @property
    def same_files(self) -> bool:
        """Whether the weight files themselves are the reference's."""
        return self.identical == SAME_FILES

    @property
    def profile(self) -> ProfileScore | None:
        """The highest score of any tower."""
        return self.profiles[0] if self.profiles else None


def match(
    signature: Signature, index: ProfileIndex, declared: Iterable[str] = ()
) -> tuple[Match, ...]:
    """Every comparable reference, the strongest level and the highest profile first.

    Relatives of what is `declared` are no strangers to the checkpoint, so no background has them.
    """
    scores = [index.scores(tower) for tower in signature.towers]
    references = index.library.references
    places = {reference.path: place for place, reference in enumerate(references)}
    weights = _all_weights(signature, index)
    found = [
        _match(signature, reference, _profiles(scores, place), weights.get(place, ()))
        for place, reference in enumerate(references)
    ]
    ordered = sorted((m for m in found if m.profiles or m.identical or m.weights), key=_order)
    best = index.best(signature.towers)
    known = index.relatives(declared)
    shown = [
        _with_background(_in_full(signature, m), places[m.reference.path], best, known, index)
        for m in ordered[:SHOWN]
    ]
    return (*shown, *ordered[SHOWN:])


def _order(match: Match) -> tuple[int, float, float, str]:
    weights = strength(match.weights[0]) if match.weights else 0.0
    raw = match.profile.raw if match.profile else 0.0
    if match.level.rank <= Level.RESEMBLES.rank:
        weights = 0.0  # strangers' agreements by chance order nothing
    return -match.level.rank, -weights, -raw, match.reference.path


def _all_weights(
    signature: Signature, index: ProfileIndex
) -> dict[int, tuple[WeightEvidence, ...]]:
    """What the weights say of each reference, by its place; the strongest tower first."""
    own = [found for found in map(weights_of, signature.towers) if found]
    towers = (t for r in index.library.references for t in r.signature.towers if t.arrays)
    looks = max(sum(1 for _ in towers) * len(own), 1)
    found = {
        place: _strongest_first(own, theirs, index.library.calibration, looks)
        for place, theirs in (index.weights if own else ())
    }
    return _corrected(found, looks * KINDS)


def _in_full(signature: Signature, match: Match) -> Match:
    """The match with what is only worth computing of those that are shown."""
    own = {tower.name: weights_of(tower) for tower in signature.towers}
    theirs = {tower.name: weights_of(tower) for tower in match.reference.signature.towers}
    found = []
    for evidence in match.weights:
        one, other = own[evidence.tower], theirs[evidence.reference_tower]
        found.append(with_mantel(evidence, one, other) if one and other else evidence)
    return replace(match, weights=tuple(found))


def _corrected(
    found: Mapping[int, tuple[WeightEvidence, ...]], looks: int
) -> dict[int, tuple[WeightEvidence, ...]]:
    """The evidence with its probabilities corrected for all references and kinds of evidence."""
    samples = [e.samples for each in found.values() for e in each if e.samples]
    whole = iter(holm([one.p for one in samples], looks))
    best = iter(holm([one.p_best for one in samples], looks))
    return {
        place: tuple(
            replace(e, samples=replace(e.samples, p_holm=next(whole), p_best_holm=next(best)))
            if e.samples
            else e
            for e in each
        )
        for place, each in found.items()
    }


def _strongest_first(
    own: Sequence[Weights], theirs: Sequence[Weights], calibration: Calibration, looks: int
) -> tuple[WeightEvidence, ...]:
    found = (weight_evidence(a, b, calibration, looks) for a in own for b in theirs)
    return tuple(sorted(filter(None, found), key=lambda e: (-level_of(e).rank, -strength(e))))


def _profiles(scores: Iterable[Scores], place: int) -> tuple[ProfileScore, ...]:
    found = [score for score in (each.score(place) for each in scores) if score is not None]
    return tuple(sorted(found, key=lambda score: -score.raw))


def _match(
    signature: Signature,
    reference: Reference,
    profiles: tuple[ProfileScore, ...],
    weights: tuple[WeightEvidence, ...],
) -> Match:
    identical = identity(signature, reference)
    if not identical and weights and weights[0].same:
        identical = SAME_SAMPLES
    level = level_of(weights[0]) if weights else Level.NONE
    if identical:
        level = Level.IDENTICAL
    elif level is Level.NONE and profiles and not (profiles[0].raw < RESEMBLES):
        level = Level.RESEMBLES
    return Match(reference, level, profiles, identical, weights=weights)


def _with_background(
    match: Match, place: int, best: Array, known: Flags, index: ProfileIndex
) -> Match:
    if match.profile is None:
        return match
    depth = match.profile.depths[1]
    strangers = (index.families != index.families[place]) & ~known
    strangers &= like_depths(depth, index.reference_depths)
    theirs = index.best(match.reference.signature.towers, near=depth)
    value = {RAW: match.profile.raw, DETRENDED: match.profile.detrended}
    four = (
        background(best_of_families(values[statistic], strangers, index), value[statistic])
        for values in (best, theirs)
        for statistic in (RAW, DETRENDED)
    )
    return replace(match, backgrounds=Backgrounds(*four))


def best_of_families(values: Array, which: Flags, index: ProfileIndex) -> Array:
    """The highest score of each family that has one among the references `which`."""
    known = which & ~np.isnan(values)
    best = np.full(len(values), -np.inf)
    np.maximum.at(best, index.families[known], values[known])
    found: Array = best[np.isfinite(best)]
    return found
