"""A table of rule kinds, and the judge that goes through it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from fpcheck.comparison import Match
from fpcheck.comparison.evidence import WeightEvidence, p_value
from fpcheck.comparison.profile import ProfileScore
from fpcheck.comparison.reached import needed
from fpcheck.policy import Policy, ProfileThreshold, Threshold, Unmeasured
from fpcheck.verdict.facts import SIBLING, Facts
from fpcheck.verdict.values import Finding, Outcome, Verdict
from fpcheck.verdict.words import (
    CONTRADICTED,
    PART,
    Said,
    evidence_of,
    identity_of,
    of_profile,
    of_weights,
)

MAX_REASONS = 10  # of one kind, in findings; the report has them all


def judge(policy: Policy, facts: Facts) -> Verdict:
    """Every objection, the gravest first, at most one a reference; and what is explained away."""
    raised = [finding for rule in RULE_KINDS.values() for finding in rule(policy, facts)]
    gravest = sorted(raised, key=lambda f: (-f.outcome.gravity, not f.weakened))
    kept = {_subject(finding): finding for finding in reversed(gravest)}
    places = {match.reference.id: place for place, match in enumerate(facts.matches or ())}
    ordered = sorted(
        kept.values(),
        key=lambda f: (-f.outcome.gravity, places.get(f.reference, -1), f.detail),
    )
    return Verdict(
        findings=tuple(f for f in ordered if f.outcome is not Outcome.PASS),
        notes=tuple(f for f in ordered if f.outcome is Outcome.PASS),
    )


def _subject(finding: Finding) -> tuple[str, str]:
    """What a finding is about: a reference, or the checkpoint in one respect."""
    return finding.reference, "" if finding.reference else finding.detail


def unmeasured(policy: Policy, facts: Facts) -> Iterator[Finding]:
    """Nothing, or not everything, could be measured."""
    if facts.matches is None or not facts.covered:
        outcome = _UNMEASURED[policy.unmeasured]
        reasons = "; ".join(facts.unmeasured[:MAX_REASONS])
        demanded = policy.unmeasured is Unmeasured.FAIL
        what = "not measured" if facts.matches is None else "too little was measured"
        yield Finding("unmeasured", outcome, "", what, reasons, demanded)
    else:
        for reason in facts.unmeasured[:MAX_REASONS]:
            yield Finding("unmeasured", Outcome.WARN, "", "not all was measured", reason)


def level(policy: Policy, facts: Facts) -> Iterator[Finding]:
    """A reference reaches a level that the policy objects to."""
    layers = (policy.fail.profile or ProfileThreshold(raw=0)).layers
    for match in facts.matches or ():
        for said in evidence_of(match, facts, layers):
            for outcome, threshold in _thresholds(policy):
                if threshold.level is not None and said.level.rank >= threshold.level.rank:
                    yield _objection("level", outcome, match, facts, said)
                    break


def profile(policy: Policy, facts: Facts) -> Iterator[Finding]:
    """A reference's profile is at least as similar as the policy objects to."""
    for match in facts.matches or ():
        for score in match.profiles:
            for outcome, threshold in _thresholds(policy):
                if threshold.profile is not None and _reaches(score, threshold.profile, outcome):
                    said = of_profile(score, match, facts, threshold.profile.layers)
                    yield _objection("profile", outcome, match, facts, said)
                    break


def false_positive_rate(policy: Policy, facts: Facts) -> Iterator[Finding]:
    """Evidence of the weights has as low a false-positive rate as the policy objects to."""
    for match in facts.matches or ():
        for said, rate in _rated(match, facts):
            for outcome, threshold in _thresholds(policy):
                limit = threshold.false_positive_rate
                if limit is not None and not (rate > limit):  # so that NaN can never pass
                    yield _objection("false_positive_rate", outcome, match, facts, said)
                    break


# Each rule kind by name: (policy, facts) → its findings.
RULE_KINDS: Mapping[str, Callable[[Policy, Facts], Iterator[Finding]]] = MappingProxyType(
    {
        "unmeasured": unmeasured,
        "level": level,
        "profile": profile,
        "false_positive_rate": false_positive_rate,
    }
)

_UNMEASURED = {
    Unmeasured.FAIL: Outcome.FAIL,
    Unmeasured.WARN: Outcome.WARN,
    Unmeasured.IGNORE: Outcome.PASS,
}


def _thresholds(policy: Policy) -> tuple[tuple[Outcome, Threshold], ...]:
    return (Outcome.FAIL, policy.fail), (Outcome.WARN, policy.warn)


def _reaches(score: ProfileScore, threshold: ProfileThreshold, outcome: Outcome) -> bool:
    """Whether a profile is as similar as that. "not <", so that NaN can never pass.

    Too few layers keep a profile from warning; from failing they keep it only by its weakness.
    """
    if score.raw < threshold.raw:
        return False
    if threshold.detrended is not None and score.detrended < threshold.detrended:
        return False
    return outcome is Outcome.FAIL or score.layers >= threshold.layers


def _rated(match: Match, facts: Facts) -> Iterator[tuple[Said, float]]:
    """Each piece of evidence that has a false-positive rate, and that rate.

    A profile has none: of all references some stranger's is always the most similar, so that no
    background from a library bounds the rate, corrected for the library's size, below 1.
    """
    for said in identity_of(match):
        yield said, 0.0
    for evidence in match.weights:
        said = of_weights(evidence, facts)
        for rate, words in _rates(evidence, facts.looks):
            yield replace(said, message=f"{said.message}; {words}"), rate


def _rates(evidence: WeightEvidence, looks: int) -> Iterator[tuple[float, str]]:
    """That of the signs of two thirds of the layers, and the bound that the controls give.

    No control in N as high bounds the rate of one comparison by 3/N, and that of `looks` by their
    sum; without controls nothing does.
    """
    samples, forms = evidence.samples, evidence.forms
    if samples and samples.of:
        yield samples.p_holm, f"corrected for all comparisons, {p_value(samples.p_holm)}"
    if forms and forms.of and forms.hits >= needed(forms.of, forms.of):
        bound = min(1.0, looks * 3 / forms.controls) if forms.controls else 1.0
        yield bound, f"a false-positive rate of at most {bound:.2g} by {forms.controls} controls"


def _objection(rule: str, outcome: Outcome, match: Match, facts: Facts, said: Said) -> Finding:
    """The finding, as far as the release's declarations and the evidence let it stand."""
    identity, message = match.reference.id, said.message
    excuse = facts.excuse(match)
    if excuse:
        return _excused(rule, match, facts, message, excuse)
    if said.weakness and outcome is Outcome.FAIL:
        detail = said.tower if said.weakness == PART else ""
        told = f"{message}; a warning only: {said.weakness}"
        return Finding(rule, Outcome.WARN, identity, told, detail, weakened=True)
    if said.weakness == CONTRADICTED:
        message = f"{message}; {CONTRADICTED}"
    return Finding(rule, outcome, identity, message)


def _excused(
    rule: str, match: Match, facts: Facts, message: str, excuse: tuple[str, str]
) -> Finding:
    """A note; a warning where a sibling is nearer than its and the checkpoint's own origin."""
    identity, (why, of) = match.reference.id, excuse
    near = facts.nearer(match) if why == SIBLING else None
    if near is None:
        return Finding(rule, Outcome.PASS, identity, f"{message}; {why}", of)
    told = (
        f"nearer to it (1 - ρ = {near.here:.1e}) than to what the declaration covers "
        f"(1 - ρ = {near.there:.1e})"
    )
    return Finding(rule, Outcome.WARN, identity, f"{message}; {told}", near.id)
