"""Signature × library → matches: references, their evidence, and the level that it reaches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fpcheck.comparison.background import Background, background, like_depths
from fpcheck.comparison.curves import Array
from fpcheck.comparison.identity import SAME_FILES, identity
from fpcheck.comparison.index import DETRENDED, RAW, ProfileIndex, Scores
from fpcheck.comparison.levels import RESEMBLES, Level
from fpcheck.comparison.profile import ProfileScore
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
    and computed for the first SHOWN matches only.
    """

    reference: Reference
    level: Level
    profiles: tuple[ProfileScore, ...]
    identical: str = ""
    backgrounds: Backgrounds | None = None

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
    found = [_match(signature, r, _profiles(scores, p)) for p, r in enumerate(references)]
    ordered = sorted((m for m in found if m.profiles or m.identical), key=_order)
    best = index.best(signature.towers)
    known = index.relatives(declared)
    shown = [
        _with_background(m, places[m.reference.path], best, known, index) for m in ordered[:SHOWN]
    ]
    return (*shown, *ordered[SHOWN:])


def _order(match: Match) -> tuple[int, float, str]:
    return (-match.level.rank, -(match.profile.raw if match.profile else 0), match.reference.path)


def _profiles(scores: Iterable[Scores], place: int) -> tuple[ProfileScore, ...]:
    found = [score for score in (each.score(place) for each in scores) if score is not None]
    return tuple(sorted(found, key=lambda score: -score.raw))


def _match(signature: Signature, reference: Reference, profiles: tuple[ProfileScore, ...]) -> Match:
    identical = identity(signature, reference)
    if identical:
        return Match(reference, Level.IDENTICAL, profiles, identical)
    alike = bool(profiles) and not (profiles[0].raw < RESEMBLES)
    return Match(reference, Level.RESEMBLES if alike else Level.NONE, profiles)


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
