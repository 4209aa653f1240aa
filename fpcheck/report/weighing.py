"""The section of a report on the weights themselves, before it takes a form."""

from __future__ import annotations

from dataclasses import dataclass

from fpcheck.comparison import Level, Match
from fpcheck.comparison.evidence import WeightEvidence
from fpcheck.explain.names import ranges
from fpcheck.report import saying, text_map
from fpcheck.report.layer_map import layer_map
from fpcheck.report.rows import Row, by_role, rows
from fpcheck.signature import Signature, TowerProfile

HIDDEN = " So a checkpoint whose weights were permuted or rotated would not be recognised."


@dataclass(frozen=True)
class Weighing:
    """What the weights of one tower say of one match, in our own words.

    `roles` has the ρ of each role, `passed` the aligned layers without evidence of their own, and
    `map` the map in characters, which `shows` that; each is empty when there is none. `missing`
    says what was not compared, and why.
    """

    match: Match
    weights: WeightEvidence
    sentences: str
    alignment: str
    rows: tuple[Row, ...]
    roles: str
    passed: str
    map: str
    shows: str
    missing: tuple[str, ...]


def weighing(signature: Signature, match: Match, weights: WeightEvidence) -> Weighing:
    """All that a report says of one tower's evidence."""
    drawn = layer_map(signature, match, weights, text_map.LIMIT)
    return Weighing(
        match=match,
        weights=weights,
        sentences=saying.sentences(match, weights),
        alignment=aligned(weights),
        rows=rows(match, weights),
        roles=by_role(weights.samples) if weights.samples else "",
        passed=_passed(weights),
        map=text_map.render(drawn) if drawn else "",
        shows=drawn.shows if drawn else "",
        missing=missing(signature, match, weights),
    )


def aligned(weights: WeightEvidence) -> str:
    """How the layers stand for each other, in words."""
    found = weights.alignment
    if found is None or not found.hits:
        return "no layer has evidence of its own"
    return found.sentence.removesuffix(".")


def _passed(weights: WeightEvidence) -> str:
    """The numbers of the layers that the path passes without evidence of their own."""
    path = weights.alignment.path if weights.alignment else ()
    others = [step.layer for step in path if not step.hit]
    return ranges(others).replace("-", "–").replace(",", ", ") if len(others) < len(path) else ""


def missing(signature: Signature, match: Match, weights: WeightEvidence) -> tuple[str, ...]:
    """The kinds of evidence that these weights have not, why, and what that hides."""
    own = _tower(signature, weights.tower)
    theirs = _tower(match.reference.signature, weights.reference_tower)
    found = []
    if weights.samples is None:
        found.append("Single weights were not compared: no role was sampled in both.")
    if weights.forms is None:
        found.append(
            f"Attention forms were not compared: {_without_forms(own, theirs)}."
            + (HIDDEN if match.level.rank < Level.TRANSFORMED.rank else "")
        )
    return tuple(found)


def _without_forms(own: TowerProfile | None, theirs: TowerProfile | None) -> str:
    if not _has_forms(own):
        return (
            "this checkpoint has none, for they need the vocabulary of its tokenizer and its "
            "embeddings beside its weights"
        )
    return "they have too little in common" if _has_forms(theirs) else "the reference has none"


def unweighed(signature: Signature) -> str:
    """Why no reference was compared by its weights."""
    if any(tower.arrays is not None for tower in signature.towers):
        return "the library knows these references by their profiles alone"
    return "this checkpoint's weights could not be sampled"


def _tower(signature: Signature, wanted: str) -> TowerProfile | None:
    return next((tower for tower in signature.towers if tower.name == wanted), None)


def _has_forms(tower: TowerProfile | None) -> bool:
    return tower is not None and tower.arrays is not None and tower.arrays.has_forms
