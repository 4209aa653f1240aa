"""What each piece of evidence amounts to: a level, in our own words, and how far it carries."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from fpcheck.comparison import Level, Match
from fpcheck.comparison.evidence import FormEvidence, SampleEvidence, WeightEvidence, p_value
from fpcheck.comparison.identity import SAME_SAMPLES
from fpcheck.comparison.levels import RESEMBLES
from fpcheck.comparison.profile import ProfileScore
from fpcheck.comparison.reached import level_of
from fpcheck.verdict.facts import Facts

PART = "of a tower beside the text's"
CONTRADICTED = "the weights themselves were compared and show no descent"
SUSPECTED = "a change of basis that preserves the function is suspected"
OPEN = "no signs could be compared, which leaves open whether the basis was changed"
INITIAL = "they share an initialisation, or one was trained very long from the other"
INITIAL_RHO = 0.5  # real derivatives have more, but for those of trillions of tokens


@dataclass(frozen=True)
class Said:
    """One piece of evidence; with a `weakness` it may warn and no more. `tower` is untrusted."""

    level: Level
    message: str
    tower: str = ""
    weakness: str = ""


def evidence_of(match: Match, facts: Facts, layers: int) -> Iterator[Said]:
    """Every piece of a match's evidence that reaches a level; `layers` are those a profile needs.

    Of files or statistics that are the same, no other piece could say more.
    """
    weights = (of_weights(e, facts) for e in match.weights if level_of(e) is not Level.NONE)
    alike = (s for s in match.profiles if not s.raw < RESEMBLES)
    profiles = (of_profile(score, match, facts, layers) for score in alike)
    found = [*identity_of(match)] or [*weights, *profiles]
    yield from found
    if match.level is not Level.NONE and all(s.level.rank < match.level.rank for s in found):
        yield Said(match.level, str(match.level))  # never less than the comparison says


def identity_of(match: Match) -> Iterator[Said]:
    """That the files or the statistics are the same. Of samples, the tower's own weights say it."""
    if match.identical and match.identical != SAME_SAMPLES:
        yield Said(Level.IDENTICAL, f"{Level.IDENTICAL}: {match.identical}")


def of_weights(evidence: WeightEvidence, facts: Facts) -> Said:
    """What one tower's weights say."""
    level = level_of(evidence)
    sentence = evidence.alignment.sentence if evidence.alignment else ""
    message = "; ".join(filter(None, (*_what(level, evidence), sentence)))
    weakness = PART if evidence.tower in facts.parts else ""
    return Said(level, f"{level}: {message}", evidence.tower, weakness)


def of_profile(score: ProfileScore, match: Match, facts: Facts, layers: int) -> Said:
    """What one tower's profile says."""
    message = (
        f"{Level.RESEMBLES}: profile {score.raw:.4f} raw, {score.detrended:.4f} detrended, "
        f"over {score.layers} layers"
    )
    weakness = _weakness(score, match, facts, layers)
    return Said(Level.RESEMBLES, message, score.tower, weakness)


def _weakness(score: ProfileScore, match: Match, facts: Facts, layers: int) -> str:
    if score.tower in facts.parts:
        return PART
    if facts.contradicted(match, score.tower):
        return CONTRADICTED
    if score.layers < layers:
        return f"fewer than {layers} layers"
    obtained = match.reference.obtained
    if not obtained.full_precision:
        coarse = f"figures of {obtained.digits} digits" if obtained.complete else "layers missing"
        return f"the reference is not exact ({coarse})"
    return ""


def _what(level: Level, evidence: WeightEvidence) -> tuple[str, ...]:
    """What was seen, the evidence that the level rests on first."""
    samples, forms = evidence.samples, evidence.forms
    if level is Level.IDENTICAL:
        return (SAME_SAMPLES,)
    by_forms = level is Level.TRANSFORMED or not (samples and (samples.hits or not forms))
    if forms and by_forms:
        return _forms(forms), _basis(samples) if level is Level.TRANSFORMED else ""
    if samples:
        return _samples(samples, level), _initial(samples, forms)
    return ()


def _samples(samples: SampleEvidence, level: Level) -> str:
    p = samples.p_best_holm if level is Level.PARTIAL else samples.p_holm
    return (
        f"the signs of its weights agree with the reference's in {samples.hits} of {samples.of} "
        f"layers (ρ {_four(samples.rho)}, {p_value(p)})"
    )


def _initial(samples: SampleEvidence, forms: FormEvidence | None) -> str:
    """Where weights agree and what they do together does not."""
    alike = samples.hits and forms and forms.of and not forms.hits
    return INITIAL if alike and samples.rho < INITIAL_RHO else ""


def _forms(forms: FormEvidence) -> str:
    control = f"no control above {_four(forms.control)}" if forms.controls else "without controls"
    return (
        f"attention forms agree in {forms.hits} of {forms.of} layers "
        f"(q·k {_four(forms.qk)}, v·o {_four(forms.vo)}; {control})"
    )


def _basis(samples: SampleEvidence | None) -> str:
    if samples is None:
        return OPEN
    return f"the signs in {samples.hits} of {samples.of}" if samples.hits else SUSPECTED


def _four(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4f}"
