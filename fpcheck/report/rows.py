"""The evidence as rows: beside every number its background, its probability and its coverage."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from fpcheck.comparison import Match
from fpcheck.comparison.background import Background
from fpcheck.comparison.evidence import FormEvidence, SampleEvidence, WeightEvidence
from fpcheck.comparison.profile import ProfileScore
from fpcheck.report.numbers import ABSENT, four, none_of, probability, rate, spread, worse

_ROLE = re.compile(r"[a-z0-9]+(?:[._+][a-z0-9]+)*")
UNCALIBRATED = "not calibrated"
AS_ABOVE = "as above"


class Row(NamedTuple):
    """One number, and all that is needed to judge it; every field is in our own words."""

    evidence: str
    value: str
    background: str
    chance: str
    coverage: str


def rows(match: Match, weights: WeightEvidence) -> tuple[Row, ...]:
    """The evidence of one tower, what decides first."""
    found: list[Row] = []
    if weights.samples:
        found += _samples(weights.samples)
    if weights.forms:
        found += _forms(weights.forms)
    found += _profile(match, weights)
    found += _along(weights)
    found += _vectors(weights)
    return tuple(found)


def by_role(samples: SampleEvidence) -> str:
    """ρ of each role, in words."""
    return ", ".join(f"{name(role)} {four(rho)}" for role, rho in samples.roles.items())


def name(role: str) -> str:
    """A role's name; a signature that others wrote may hold any text instead."""
    return str(role) if _ROLE.fullmatch(role) else "(unknown role)"


def names(roles: Iterable[str]) -> str:
    """Roles in a row."""
    return ", ".join(map(name, roles))


def _layers(hits: int, of: int) -> str:
    return f"{hits} of {of} layers"


def _samples(samples: SampleEvidence) -> Iterator[Row]:
    covered = "; ".join(filter(None, (_layers(samples.hits, samples.of), names(samples.roles))))
    p, best = probability(samples.p_holm), probability(samples.p_best_holm)
    yield Row("sampled weights, median ρ", four(samples.rho), "0 by chance", p, covered)
    yield Row("sampled weights, the best layer", ABSENT, AS_ABOVE, best, "1 layer")
    share = f" ({100 * samples.agreements / samples.count:.1f} %)" if samples.count else ""
    yield Row(
        "signs that agree, layers of equal depth",
        f"{samples.agreements:,} of {samples.count:,}{share}",
        "50 % by chance",
        f"{probability(samples.p_equal_depth)}, one test",
        f"{samples.count:,} signs",
    )


def _forms(forms: FormEvidence) -> Iterator[Row]:
    highest = f"highest of {forms.controls:,} control pairs {four(forms.control)}"
    counts = f"; a layer counts from {four(forms.threshold)} on"
    covered = _layers(forms.hits, forms.of)
    for what, value in (("q·k", forms.qk), ("v·o", forms.vo)):
        beyond = _beyond(forms, value)
        yield Row(f"attention forms, {what}", four(value), highest + counts, beyond, covered)
    shuffled = "" if forms.mantel is None else f"; anchors shuffled: {probability(forms.mantel)}"
    yield Row(
        "attention forms, the best pair of layers",
        four(forms.best),
        highest,
        _beyond(forms, forms.best) + shuffled,
        "1 pair of layers",
    )


def _beyond(forms: FormEvidence, value: float) -> str:
    """The rate at which strangers come so far: known only where no control does."""
    if value > forms.control:
        return none_of(forms.controls, "control pairs")
    return "not beyond the controls"


def _profile(match: Match, weights: WeightEvidence) -> Iterator[Row]:
    score = next((s for s in match.profiles if s.tower == weights.tower), None)
    if score is None:
        return
    covered = f"{score.layers} layers; {names(score.roles)}"
    raw, detrended = _backgrounds(match, score)
    yield Row("profile, raw", four(score.raw), *_against(raw), covered)
    yield Row("profile, detrended", four(score.detrended), *_against(detrended), covered)


def _backgrounds(match: Match, score: ProfileScore) -> tuple[Background | None, Background | None]:
    """The backgrounds of the profile, where this tower's is the one that they are of."""
    found = match.backgrounds
    if found is None or score is not match.profile:
        return None, None
    return (
        worse(found.checkpoint_raw, found.reference_raw),
        worse(found.checkpoint_detrended, found.reference_detrended),
    )


def _against(background: Background | None) -> tuple[str, str]:
    if background is None:
        return UNCALIBRATED, ABSENT
    if not background.families:
        return "no stranger of like depth", ABSENT
    return f"strangers: {spread(background)}", rate(background)


def _along(weights: WeightEvidence) -> Iterator[Row]:
    if weights.along is None:
        return
    steps = len(weights.alignment.path) if weights.alignment else 0
    covered = f"{steps} aligned layers"
    for what, value in zip(("raw", "detrended"), weights.along, strict=True):
        yield Row(f"profile along the path, {what}", four(value), UNCALIBRATED, ABSENT, covered)


def _vectors(weights: WeightEvidence) -> Iterator[Row]:
    for role, value in weights.vectors.items():
        shown = "folded" if value is None else four(value)
        yield Row(
            f"gain or bias {name(role)}, centred", shown, UNCALIBRATED, ABSENT, "aligned layers"
        )
