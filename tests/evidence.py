"""Matches made of plain numbers: what profiles and weights say, without any weights."""

from __future__ import annotations

import math

import numpy as np

from fpcheck.comparison import Level, Match
from fpcheck.comparison.evidence import Alignment, FormEvidence, SampleEvidence, WeightEvidence
from fpcheck.comparison.profile import ProfileScore
from fpcheck.comparison.reached import level_of
from tests.signatures import a_reference, a_tower, random_curves

TEXT = "model.layers"
TOWER = a_tower(random_curves(1), TEXT)


def a_profile(
    raw: float = 0.99, detrended: float = 0.95, layers: int = 12, tower: str = TEXT
) -> ProfileScore:
    """A score of two towers of this many layers."""
    return ProfileScore(raw, detrended, {}, layers, (layers, layers), tower, "x")


def a_match(
    identity: str = "a/b",
    *,
    raw: float = 0.99,
    detrended: float = 0.95,
    layers: int = 12,
    identical: str = "",
    digits: int | None = None,
    complete: bool = True,
) -> Match:
    """A match that rests on a profile, or on weights that are the same."""
    reference = a_reference(identity, TOWER, digits=digits, complete=complete)
    level = Level.RESEMBLES if raw >= 0.85 else Level.NONE
    profiles = (a_profile(raw, detrended, layers),)
    return Match(reference, Level.IDENTICAL if identical else level, profiles, identical)


def samples(hits: int = 16, rho: float = 0.98, p: float = 0.0, of: int = 16) -> SampleEvidence:
    """Signs; `p` is that of two thirds of the layers, whatever it is corrected for."""
    best = 0.0 if hits else p
    return SampleEvidence(rho, {"q": rho}, 4000, 4096, 0.0, p, best, p, best, hits, of)


def forms(
    hits: int = 16, qk: float = 0.99, vo: float = 0.98, of: int = 16, controls: int = 3000
) -> FormEvidence:
    """Anchored forms whose controls reach 0.29."""
    return FormEvidence(qk, vo, qk, hits, of, 0.39, 0.29, controls)


UNRELATED = samples(0, rho=0.01, p=1.0), forms(0, 0.02, 0.03)


def weights(
    signs: SampleEvidence | None = None,
    shapes: FormEvidence | None = None,
    *,
    tower: str = TEXT,
    sentence: str = "identical depth: layers 0–15 ↔ 0–15",
    same: bool = False,
) -> WeightEvidence:
    """What one tower's weights say; without hits there is no path."""
    found = [each for each in (signs, shapes) if each and each.hits]
    alignment = Alignment((), sentence) if found else None
    kind = "samples" if signs and signs.hits else "forms"
    return WeightEvidence(
        tower, "model.layers", signs, shapes, alignment, kind, np.zeros((16, 16)), same=same
    )


def a_weighed(
    identity: str, *found: WeightEvidence, raw: float = math.nan, identical: str = ""
) -> Match:
    """A match that rests on weights, beside a profile where `raw` is given."""
    profiles = () if math.isnan(raw) else (a_profile(raw, layers=16),)
    resembles = bool(profiles) and raw >= 0.85
    levels = [level_of(each) for each in found] + [Level.RESEMBLES] * resembles
    level = max(levels, key=lambda each: each.rank, default=Level.NONE)
    level = Level.IDENTICAL if identical else level
    return Match(a_reference(identity, TOWER), level, profiles, identical, weights=found)


DERIVED = weights(samples(), forms())
TRANSFORMED = weights(samples(0, 0.01, 1.0), forms())
PARTIAL = weights(
    samples(4, 0.97, 1.0),
    forms(4),
    sentence="one block taken from elsewhere: layers 4–7 ↔ 4–7",
)
SAME = weights(samples(rho=1.0), forms(qk=1.0, vo=1.0), same=True)
NOTHING = weights(*UNRELATED)
