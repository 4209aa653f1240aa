"""Signature × library → matches: references, their evidence, and the level that it reaches."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fpcheck.comparison.background import Background, background, like_depth
from fpcheck.comparison.curves import Array
from fpcheck.comparison.identity import identity
from fpcheck.comparison.index import DETRENDED, RAW, ProfileIndex, Scores
from fpcheck.comparison.levels import Level
from fpcheck.comparison.profile import ProfileScore
from fpcheck.reference import Reference
from fpcheck.signature import Signature

RESEMBLES = 0.85  # raw; unrelated decoders reach 0.87 at their 95th percentile
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

    `identical` says in words why the weights are the same, "" when they are not known to be;
    `profile` is None when no curve could be compared; `backgrounds` are computed for the first
    SHOWN matches only.
    """

    reference: Reference
    level: Level
    profile: ProfileScore | None
    identical: str = ""
    backgrounds: Backgrounds | None = None


def match(signature: Signature, index: ProfileIndex) -> tuple[Match, ...]:
    """Every comparable reference, the strongest level and the highest profile first."""
    library = index.library
    scores = index.scores(signature.towers)
    places = {reference.path: place for place, reference in enumerate(library.references)}
    found = [_match(signature, r, scores.score(p)) for p, r in enumerate(library.references)]
    ordered = sorted((m for m in found if m.profile or m.identical), key=_order)
    shown = [_with_background(m, places[m.reference.path], scores, index) for m in ordered[:SHOWN]]
    return (*shown, *ordered[SHOWN:])


def _order(match: Match) -> tuple[int, float, str]:
    return (-match.level.rank, -(match.profile.raw if match.profile else 0), match.reference.path)


def _match(signature: Signature, reference: Reference, score: ProfileScore | None) -> Match:
    identical = identity(signature, reference)
    if identical:
        return Match(reference, Level.IDENTICAL, score, identical)
    alike = score is not None and not (score.raw < RESEMBLES)
    return Match(reference, Level.RESEMBLES if alike else Level.NONE, score)


def _with_background(match: Match, place: int, scores: Scores, index: ProfileIndex) -> Match:
    if match.profile is None:
        return match
    strangers = index.families != index.families[place]
    strangers &= like_depth(match.profile.depths[1], index.reference_depths)
    theirs = index.scores(match.reference.signature.towers)
    value = {RAW: match.profile.raw, DETRENDED: match.profile.detrended}
    four = (
        background(best_of_families(source.values[statistic], strangers, index), value[statistic])
        for source in (scores, theirs)
        for statistic in (RAW, DETRENDED)
    )
    return replace(match, backgrounds=Backgrounds(*four))


def best_of_families(values: Array, which: NDArray[np.bool_], index: ProfileIndex) -> Array:
    """The highest score of each family that has one among the references `which`."""
    known = which & ~np.isnan(values)
    best = np.full(len(values), -np.inf)
    np.maximum.at(best, index.families[known], values[known])
    found: Array = best[np.isfinite(best)]
    return found
