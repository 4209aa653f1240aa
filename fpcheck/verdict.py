"""What the policy says to the facts: a table of rule kinds, and the judge that goes through it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from fpcheck.comparison import Level, Match
from fpcheck.comparison.profile import ProfileScore
from fpcheck.policy import Policy, ProfileThreshold, Threshold, Unmeasured
from fpcheck.references import Library

MAX_REASONS = 10  # of one kind, in findings; the report has them all


class Outcome(StrEnum):
    """What the policy makes of a checkpoint, mildest first."""

    PASS = "pass"  # noqa: S105 — an outcome, not a password
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One rule's objection to one checkpoint.

    `reference` is the id it is about, "" when it is about the checkpoint itself. `message` is in
    our own words, `detail` is untrusted text that belongs to it. With `unchecked` the check could
    not be done as the policy demands.
    """

    rule: str
    outcome: Outcome
    reference: str
    message: str
    detail: str = ""
    unchecked: bool = False


@dataclass(frozen=True)
class Facts:
    """All that a rule may look at.

    `matches` is None when nothing could be measured; `unmeasured` are the reasons, also for parts,
    and `covered` says whether the parts that were measured make up for the whole. `declared` are
    the ids that the policy and the model card declare, and `parts` the names of towers that are
    only a part beside the text's: a vision tower, say.
    """

    matches: tuple[Match, ...] | None
    unmeasured: tuple[str, ...]
    covered: bool
    declared: frozenset[str]
    library: Library
    parts: frozenset[str] = frozenset()

    def excuse(self, match: Match) -> tuple[str, str] | None:
        """Why a match is to be expected of what is declared: in words, and of which id."""
        identity = match.reference.id
        if identity in self.declared:
            return "declared", ""
        for base in sorted(self.declared):
            if identity in self.library.ancestors(base):
                return "a recorded ancestor of the declared", base
        shared = self.library.ancestors(identity) & self._accepted
        if shared and (match.level is not Level.IDENTICAL or self._base_is_identical(match)):
            # The nearest: the one with most ancestors of its own.
            nearest = min(shared, key=lambda i: (-len(self.library.ancestors(i)), i))
            return "expected of a common ancestor", nearest
        return None

    def _base_is_identical(self, match: Match) -> bool:
        """Whether an accepted reference is identical in the same way: then a sibling must be.

        Models that only added a head to one base all have its attention. Equal digests are more.
        """
        return not match.same_files and any(
            other.identical and other.reference.id in self._accepted for other in self.matches or ()
        )

    @property
    def _accepted(self) -> frozenset[str]:
        """The declared ids and all their recorded ancestors."""
        return self.declared.union(*map(self.library.ancestors, self.declared))


@dataclass(frozen=True)
class Verdict:
    """All findings, and what explains away the matches that raised none."""

    findings: tuple[Finding, ...]
    notes: tuple[Finding, ...]

    @property
    def outcome(self) -> Outcome:
        """The gravest outcome of any finding."""
        order = list(Outcome)
        return max((f.outcome for f in self.findings), key=order.index, default=Outcome.PASS)

    @property
    def unchecked(self) -> bool:
        """Whether the policy demanded a measurement that could not be made."""
        return any(finding.unchecked for finding in self.findings)


def judge(policy: Policy, facts: Facts) -> Verdict:
    """Every objection, the gravest first, at most one a reference; and what is explained away."""
    raised = [finding for rule in RULE_KINDS.values() for finding in rule(policy, facts)]
    gravest = sorted(raised, key=lambda finding: -_gravity(finding.outcome))
    kept = {_subject(finding): finding for finding in reversed(gravest)}
    places = {match.reference.id: place for place, match in enumerate(facts.matches or ())}
    ordered = sorted(
        kept.values(),
        key=lambda f: (-_gravity(f.outcome), places.get(f.reference, -1), f.detail),
    )
    return Verdict(
        findings=tuple(f for f in ordered if f.outcome is not Outcome.PASS),
        notes=tuple(f for f in ordered if f.outcome is Outcome.PASS),
    )


def _subject(finding: Finding) -> tuple[str, str]:
    """What a finding is about: a reference, or the checkpoint in one respect."""
    return finding.reference, "" if finding.reference else finding.detail


def _gravity(outcome: Outcome) -> int:
    return list(Outcome).index(outcome)


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
    for match in facts.matches or ():
        for outcome, threshold in _thresholds(policy):
            if threshold.level is not None and match.level.rank >= threshold.level.rank:
                yield from _level_objections(outcome, match, facts, policy)
                break


def _level_objections(
    outcome: Outcome, match: Match, facts: Facts, policy: Policy
) -> Iterator[Finding]:
    if match.identical:
        message = f"{Level.IDENTICAL}: {match.identical}"
        yield _objection("level", outcome, match, facts, message, "")
    for score in match.profiles if not match.identical else ():
        weak = _weakness(match, score, policy.fail.profile, facts)
        yield _objection("level", outcome, match, facts, _numbers(score), weak, score.tower)


def profile(policy: Policy, facts: Facts) -> Iterator[Finding]:
    """A reference's profile is at least as similar as the policy objects to."""
    for match in facts.matches or ():
        for score in match.profiles:
            for outcome, threshold in _thresholds(policy):
                if threshold.profile is not None and _reaches(score, threshold.profile, outcome):
                    weak = _weakness(match, score, threshold.profile, facts)
                    said = _numbers(score)
                    yield _objection("profile", outcome, match, facts, said, weak, score.tower)
                    break


PART = "a warning only: of a tower beside the text's"
# Each rule kind by name: (policy, facts) → its findings.
RULE_KINDS: Mapping[str, Callable[[Policy, Facts], Iterator[Finding]]] = MappingProxyType(
    {"unmeasured": unmeasured, "level": level, "profile": profile}
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


def _weakness(
    match: Match, score: ProfileScore, threshold: ProfileThreshold | None, facts: Facts
) -> str:
    """Why a profile may warn and no more, or ""."""
    if score.tower in facts.parts:
        return PART
    needed = threshold.layers if threshold else ProfileThreshold(raw=0).layers
    if score.layers < needed:
        return f"a warning only: fewer than {needed} layers"
    obtained = match.reference.obtained
    if not obtained.full_precision:
        coarse = f"figures of {obtained.digits} digits" if obtained.complete else "layers missing"
        return f"a warning only: the reference is not exact ({coarse})"
    return ""


def _objection(
    rule: str,
    outcome: Outcome,
    match: Match,
    facts: Facts,
    message: str,
    weakness: str,
    tower: str = "",
) -> Finding:
    """The finding, as far as the release's declarations and the evidence let it stand."""
    identity = match.reference.id
    excuse = facts.excuse(match)
    if excuse:
        return Finding(rule, Outcome.PASS, identity, f"{message}; {excuse[0]}", excuse[1])
    if outcome is Outcome.FAIL and weakness:
        detail = tower if weakness == PART else ""
        return Finding(rule, Outcome.WARN, identity, f"{message}; {weakness}", detail)
    return Finding(rule, outcome, identity, message)


def _numbers(score: ProfileScore) -> str:
    return (
        f"{Level.RESEMBLES}: profile {score.raw:.4f} raw, {score.detrended:.4f} detrended, "
        f"over {score.layers} layers"
    )
