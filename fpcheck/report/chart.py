"""The two depth profiles that a report draws: what the correlation sees, role by role."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fpcheck.comparison import Match
from fpcheck.comparison.curves import stretched, unit
from fpcheck.comparison.profile import curves
from fpcheck.layouts import Role
from fpcheck.signature import Signature, TowerProfile

DIGITS = 3  # of the coordinates: enough for a picture, the same on every machine


@dataclass(frozen=True)
class Panel:
    """One role: both curves over the same depth, standardised, and their correlation.

    Pearson is blind to level and scale, so standardised curves are exactly what it compares.
    """

    role: Role
    checkpoint: tuple[float, ...]
    reference: tuple[float, ...]
    raw: float


def panels(signature: Signature, match: Match | None) -> tuple[Panel, ...]:
    """The panels of the best match's towers; () when there is nothing to draw."""
    if match is None or match.profile is None:
        return ()
    own = curves(_named(signature, match.profile.tower))
    theirs = curves(_named(match.reference.signature, match.profile.reference_tower))
    drawn = []
    for role, pearson in match.profile.roles.items():
        length = max(own[role].size, theirs[role].size)
        pair = [_standardised(stretched(c, length)) for c in (own[role], theirs[role])]
        if not math.isnan(pearson.raw):
            drawn.append(Panel(role, pair[0], pair[1], pearson.raw))
    return tuple(drawn)


def _named(signature: Signature, name: str) -> TowerProfile:
    return next(tower for tower in signature.towers if tower.name == name)


def _standardised(curve: np.ndarray) -> tuple[float, ...]:
    scaled = unit(curve, detrend=False) * math.sqrt(curve.size)
    return tuple(round(float(value), DIGITS) + 0.0 for value in scaled)
