"""A tower's profile as curves over depth, and the score of two profiles."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fpcheck.comparison.curves import Array, unit
from fpcheck.layouts import Role
from fpcheck.signature import Moments, TowerProfile

SPLIT = (Role.Q, Role.K, Role.V, Role.O)
POOLED = (Role.QKV, Role.O)
ROLES = (*SPLIT, Role.QKV)
# A correlation of fewer points says nothing: three points and a trend leave one degree of freedom.
MIN_LAYERS = 4


class Pearson(NamedTuple):
    """One correlation, raw and with the linear trend in depth removed; NaN where undefined."""

    raw: float
    detrended: float


@dataclass(frozen=True)
class ProfileScore:
    """How two towers compare: the means over `roles`, and `layers`, the depth of the shallower.

    `depths` are those of the checkpoint's tower and of the reference's. `raw` is in [-1, 1];
    `detrended` too, or NaN when every curve is a straight line.
    """

    raw: float
    detrended: float
    roles: Mapping[Role, Pearson]
    layers: int
    depths: tuple[int, int]
    tower: str
    reference_tower: str


def curves(tower: TowerProfile) -> dict[Role, Array]:
    """The standard deviations over the layers of each matrix role, qkv pooled where it was split.

    A role that some layers lack is interpolated over the layers' numbers, so that its curve keeps
    its place in depth. A role of fewer than MIN_LAYERS layers is left out.
    """
    found = {role: _curve(tower, tower.roles[role]) for role in ROLES if role in tower.roles}
    if all(role in tower.roles for role in SPLIT[:3]):
        layers = zip(*(tower.roles[role] for role in SPLIT[:3]), strict=True)
        found[Role.QKV] = _curve(tower, [_pooled(layer) for layer in layers])
    return {role: curve for role, curve in found.items() if curve.size >= MIN_LAYERS}


def _curve(tower: TowerProfile, moments: Sequence[Moments | None]) -> Array:
    known = [(layer, m.std) for layer, m in zip(tower.layers, moments, strict=True) if m]
    if not known:
        return np.empty(0)
    numbers, curve = np.array(known, dtype=np.float64).T
    even = np.linspace(numbers[0], numbers[-1], len(known))
    at_even: Array = curve if np.array_equal(numbers, even) else np.interp(even, numbers, curve)
    return at_even


def _pooled(parts: Sequence[Moments | None]) -> Moments | None:
    """The moments of several roles taken as one tensor; an unpublished mean counts as 0."""
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    count = sum(m.count for m in known)
    mean = sum(m.count * (m.mean or 0.0) for m in known) / count
    square = sum(m.count * (m.std**2 + ((m.mean or 0.0) - mean) ** 2) for m in known) / count
    return Moments(count, mean, math.sqrt(square))


def is_fused(tower: TowerProfile) -> bool:
    """Whether q, k and v are known only as one."""
    return Role.QKV in tower.roles


def incomparable(tower: TowerProfile) -> str:
    """Why a tower has no curve to compare, or ""."""
    own = curves(tower)
    if not own:
        return f"{tower.name}: {len(tower.layers)} layers, a profile needs {MIN_LAYERS}"
    if all(np.isnan(unit(curve, detrend=False)).all() for curve in own.values()):
        return f"{tower.name}: every layer has the same standard deviation, so there is no curve"
    return ""
