"""A tower's profile as curves over depth, and the score of two profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fpcheck.comparison.curves import Array, unit
from fpcheck.layouts import Role
from fpcheck.signature import Moments, TowerProfile

SPLIT = (Role.Q, Role.K, Role.V, Role.O)
POOLED = (Role.QKV, Role.O)
ROLES = (*SPLIT, Role.QKV)
# A correlation of fewer points says nothing: three points and a trend leave one degree of freedom.
MIN_LAYERS = 4


@dataclass(frozen=True)
class Pearson:
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

    A role of fewer than MIN_LAYERS layers is left out.
    """
    found = {role: _curve(tower.roles[role]) for role in ROLES if role in tower.roles}
    if all(role in tower.roles for role in SPLIT[:3]):
        layers = zip(*(tower.roles[role] for role in SPLIT[:3]), strict=True)
        found[Role.QKV] = _pooled([layer for layer in layers if None not in layer])
    return {role: curve for role, curve in found.items() if curve.size >= MIN_LAYERS}


def _curve(moments: Sequence[Moments | None]) -> Array:
    return np.array([m.std for m in moments if m is not None], dtype=np.float64)


def _pooled(layers: Sequence[Sequence[Moments | None]]) -> Array:
    """The standard deviation of several roles as one tensor; an unpublished mean counts as 0."""
    parts = [[(m.count, m.mean or 0.0, m.std) for m in layer if m] for layer in layers]
    if not parts:
        return np.empty(0)
    count, mean, std = np.moveaxis(np.array(parts, dtype=np.float64), 2, 0)
    share = count / count.sum(axis=1, keepdims=True)
    centre = (share * mean).sum(axis=1, keepdims=True)
    pooled: Array = np.sqrt((share * (std**2 + (mean - centre) ** 2)).sum(axis=1))
    return pooled


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
