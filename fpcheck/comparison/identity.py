"""Whether two signatures are of the same weights: equal digests, or every statistic equal."""

from __future__ import annotations

from collections.abc import Iterable

from fpcheck.layouts import MATRICES, Kind
from fpcheck.reference import How, Reference
from fpcheck.signature import Moments, Signature, TowerProfile
from fpcheck.stacks import is_text

TOLERANCE = 1e-6  # relative: reading the same values in any order moves a statistic by far less
SAME_FILES = "the reference's weight files, by their SHA-256 digests"
SAME_SAMPLES = "every sample of every layer of the reference, up to the rounding of a dtype"
SAME_STATISTICS = "every attention statistic of the reference, to one part in a million"


def identity(signature: Signature, reference: Reference) -> str:
    """Why the weights are the same, in words, or "" when nothing says so."""
    if reference.obtained.how is not How.COMPUTED:
        return ""
    if _same_files(signature, reference.signature):
        return SAME_FILES
    return SAME_STATISTICS if same_statistics(signature, reference.signature) else ""


def _same_files(one: Signature, other: Signature) -> bool:
    """Whether every weight file of `other` is among the files of `one`, under whatever names."""
    theirs = other.weight_digests
    return bool(theirs) and {file.digest for file in one.files}.issuperset(theirs or ())


def same_statistics(one: Signature, other: Signature) -> bool:
    """Whether a tower of `one` has every count, mean and std of the main tower of `other`.

    Layers and towers beyond those are no difference: whoever adds them has the weights still.
    """
    main = main_tower(other)
    return main is not None and any(
        _contains(tower, main) for tower in one.towers if tower.kind is Kind.SELF
    )


def main_tower(signature: Signature) -> TowerProfile | None:
    """The text's self-attention tower with the most weights, the first by name among equals.

    Of all towers when none is the text's. A part that was taken from elsewhere, such as a vision
    tower, does not make a model of it.
    """
    own = [tower for tower in signature.towers if tower.kind is Kind.SELF and tower.weights]
    return max(own, key=lambda tower: (is_text(tower.name), tower.weights), default=None)


def parts(towers: Iterable[TowerProfile]) -> frozenset[str]:
    """The names of towers that are a part beside the text's: not the text's, and smaller.

    What is larger than any text tower may be the model itself, whatever its name says.
    """
    given = tuple(towers)
    text = max((tower.weights for tower in given if is_text(tower.name)), default=0)
    return frozenset(t.name for t in given if not is_text(t.name) and t.weights < text)


def _contains(tower: TowerProfile, other: TowerProfile) -> bool:
    places = {layer: place for place, layer in enumerate(tower.layers)}
    if not places.keys() >= set(other.layers):
        return False
    at = [places[layer] for layer in other.layers]
    return all(
        role in tower.roles
        and all(_same(tower.roles[role][p], m) for p, m in zip(at, own, strict=True))
        for role, own in other.roles.items()
        if role in MATRICES
    )


def _same(one: Moments | None, other: Moments | None) -> bool:
    if one is None or other is None:
        return one is other
    if one.count != other.count or one.mean is None or other.mean is None:
        return False
    scale = TOLERANCE * max(one.std, other.std)
    return abs(one.std - other.std) <= scale and abs(one.mean - other.mean) <= scale
