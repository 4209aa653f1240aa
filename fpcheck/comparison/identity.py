"""Whether two signatures are of the same weights: equal digests, or every statistic equal."""

from __future__ import annotations

from fpcheck.layouts import MATRICES
from fpcheck.reference import How, Reference
from fpcheck.signature import Moments, Signature, TowerProfile

TOLERANCE = 1e-6  # relative; rounding to another dtype moves a standard deviation by about this

SAME_FILES = "every weight file has the reference's SHA-256 digest"
SAME_STATISTICS = "every attention statistic equals the reference's to one part in a million"


def identity(signature: Signature, reference: Reference) -> str:
    """Why the weights are the same, in words, or "" when nothing says so."""
    if reference.obtained.how is not How.COMPUTED:
        return ""
    other = reference.signature
    digests = signature.weight_digests
    if digests and digests == other.weight_digests:
        return SAME_FILES
    if same_statistics(signature, other):
        return SAME_STATISTICS
    return ""


def same_statistics(one: Signature, other: Signature) -> bool:
    """Whether a tower of `one` has every count, mean and std of the main tower of `other`."""
    main = main_tower(other)
    return main is not None and any(
        _same_tower(tower, main) for tower in one.towers if tower.weights and not tower.cross
    )


def main_tower(signature: Signature) -> TowerProfile | None:
    """The self-attention tower with the most weights, the first by name among equals."""
    own = [tower for tower in signature.towers if not tower.cross]
    return max(own, key=lambda tower: tower.weights, default=None)


def _same_tower(one: TowerProfile, other: TowerProfile) -> bool:
    roles = [role for role in MATRICES if role in one.roles or role in other.roles]
    return all(
        len(one.roles.get(role, ())) == len(other.roles.get(role, ()))
        and all(map(_same, one.roles[role], other.roles[role]))
        for role in roles
    )


def _same(one: Moments | None, other: Moments | None) -> bool:
    if one is None or other is None:
        return one is other
    if one.count != other.count or one.mean is None or other.mean is None:
        return False
    scale = TOLERANCE * max(one.std, other.std)
    return abs(one.std - other.std) <= scale and abs(one.mean - other.mean) <= scale
