"""What the rules object to, what they let pass, and why."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from fpcheck.comparison import Level, Match
from fpcheck.comparison.identity import SAME_FILES, SAME_STATISTICS
from fpcheck.policy import Policy, ProfileThreshold, Threshold, Unmeasured
from fpcheck.policy.load import default_policy
from fpcheck.reference import Reference
from fpcheck.verdict import RULE_KINDS, Facts, Finding, Outcome, Verdict, judge
from tests.evidence import DERIVED, TOWER, a_match, a_profile, a_weighed
from tests.signatures import a_library, a_reference

# What the first version failed by default, as a policy may still declare it.
DECLARED = ProfileThreshold(raw=0.95, detrended=0.80)


def judged(
    *matches: Match,
    policy: Policy | None = None,
    declared: tuple[str, ...] = (),
    lineage: tuple[Reference, ...] = (),
    unmeasured: tuple[str, ...] = (),
    covered: bool = True,
) -> Verdict:
    facts = Facts(matches, unmeasured, covered, frozenset(declared), a_library(*lineage))
    return judge(policy or default_policy(), facts)


def a_policy(fail: Threshold | None = None, warn: Threshold | None = None) -> Policy:
    return replace(default_policy(), fail=fail or Threshold(None), warn=warn or Threshold(None))


def profile_policy(raw: float, detrended: float | None = None, layers: int = 8) -> Policy:
    return a_policy(Threshold(None, ProfileThreshold(raw, detrended, layers)))


def declared_profile() -> Policy:
    """The default, and a profile that fails."""
    return replace(default_policy(), fail=Threshold(Level.TRANSFORMED, DECLARED))


def test_no_match_passes() -> None:
    assert judged().outcome is Outcome.PASS
    assert judged(a_match(raw=0.5)).outcome is Outcome.PASS


def test_an_undeclared_identical_reference_fails() -> None:
    verdict = judged(a_match(identical=SAME_STATISTICS))

    assert verdict.outcome is Outcome.FAIL
    assert verdict.findings[0].rule == "level"
    assert verdict.findings[0].reference == "a/b"


def test_a_profile_alone_fails_no_build_by_default() -> None:
    assert judged(a_match(raw=1.0, detrended=1.0, layers=99)).outcome is Outcome.WARN
    assert judged(a_match(raw=0.85)).outcome is Outcome.WARN
    assert judged(a_match(raw=0.8499)).outcome is Outcome.PASS


def test_a_declared_profile_fails_from_both_its_correlations_on() -> None:
    def outcome(raw: float = 0.95, detrended: float = 0.80) -> Outcome:
        match = a_match(raw=raw, detrended=detrended, layers=8)
        return judged(match, policy=declared_profile()).outcome

    assert outcome() is Outcome.FAIL
    assert outcome(raw=0.9499) is Outcome.WARN
    assert outcome(detrended=0.7999) is Outcome.WARN


@pytest.mark.parametrize(
    ("match", "why"),
    [
        (a_match(layers=7), "fewer than 8 layers"),
        (a_match(digits=3), "the reference is not exact (figures of 3 digits)"),
        (a_match(digits=6, complete=False), "the reference is not exact (layers missing)"),
    ],
)
def test_weak_evidence_only_warns_and_says_why(match: Match, why: str) -> None:
    verdict = judged(match, policy=declared_profile())

    assert verdict.outcome is Outcome.WARN
    assert f"a warning only: {why}" in verdict.findings[0].message


def test_figures_of_six_digits_may_fail() -> None:
    assert judged(a_match(digits=6), policy=declared_profile()).outcome is Outcome.FAIL


def test_few_layers_never_excuse_identical_weights() -> None:
    assert judged(a_match(identical=SAME_STATISTICS, layers=2)).outcome is Outcome.FAIL


def test_an_undefined_detrended_value_never_passes() -> None:
    match = a_match(detrended=math.nan)

    assert judged(match, policy=declared_profile()).outcome is Outcome.FAIL


def test_the_bare_threshold_asks_for_nothing_else() -> None:
    assert (
        judged(a_match(raw=0.9, detrended=-1), policy=profile_policy(0.9)).outcome is Outcome.FAIL
    )
    assert judged(a_match(raw=0.89), policy=profile_policy(0.9)).outcome is Outcome.PASS


def test_a_warning_threshold_needs_its_layers() -> None:
    policy = a_policy(warn=Threshold(None, ProfileThreshold(0.85, None, 6)))

    assert judged(a_match(layers=6), policy=policy).outcome is Outcome.WARN
    assert judged(a_match(layers=5), policy=policy).outcome is Outcome.PASS


def test_a_level_threshold_objects_to_that_level_and_above() -> None:
    policy = a_policy(Threshold(Level.RESEMBLES, None))

    assert judged(a_match(raw=0.86), policy=policy).outcome is Outcome.FAIL
    assert judged(a_match(identical=SAME_STATISTICS), policy=policy).outcome is Outcome.FAIL
    assert judged(a_match(raw=0.84), policy=policy).outcome is Outcome.PASS
    assert judged(a_match(raw=0.86, layers=5), policy=policy).outcome is Outcome.WARN
    low = replace(a_match(raw=0.86, layers=5), profiles=(a_profile(0.86, layers=5), a_profile(0.3)))
    assert judged(low, policy=policy).outcome is Outcome.WARN  # the other tower resembles nothing


def test_a_declared_reference_is_noted_not_objected_to() -> None:
    verdict = judged(a_match(identical=SAME_STATISTICS), declared=("a/b",))

    assert verdict.outcome is Outcome.PASS
    assert [note.reference for note in verdict.notes] == ["a/b"]


def test_recorded_ancestors_of_a_declared_id_are_allowed() -> None:
    lineage = (
        a_reference("c/child", TOWER, parents=("p/parent",)),
        a_reference("p/parent", TOWER, parents=("g/grandparent",)),
    )
    verdict = judged(
        a_match("g/grandparent", identical=SAME_STATISTICS), declared=("c/child",), lineage=lineage
    )

    assert verdict.outcome is Outcome.PASS
    assert "ancestor" in verdict.notes[0].message
    assert verdict.notes[0].detail == "c/child"


def test_a_sibling_is_expected_unless_its_weights_are_the_same() -> None:
    lineage = (
        a_reference("s/sibling", TOWER, parents=("b/base",)),
        a_reference("o/own", TOWER, parents=("b/base",)),
    )

    def verdict(declared: str, identical: str = "") -> Verdict:
        match = a_match("s/sibling", identical=identical)
        return judged(match, declared=(declared,), lineage=lineage)

    for declared in ("b/base", "o/own"):
        assert verdict(declared).outcome is Outcome.PASS
        assert verdict(declared).notes[0].detail == "b/base"
        assert verdict(declared, SAME_STATISTICS).outcome is Outcome.FAIL
    assert verdict("x/stranger").outcome is Outcome.WARN


def test_a_descendant_of_what_is_declared_is_no_ancestor() -> None:
    lineage = (a_reference("c/child", TOWER, parents=("b/base",)),)
    match = a_match("c/child", identical=SAME_STATISTICS)

    assert judged(match, declared=("b/base",), lineage=lineage).outcome is Outcome.FAIL


def test_one_reference_raises_one_finding_the_gravest() -> None:
    coarse, exact = a_match(digits=3), a_match(identical=SAME_STATISTICS)

    verdict = judged(coarse, exact)

    assert [(f.rule, f.outcome) for f in verdict.findings] == [("level", Outcome.FAIL)]


def test_findings_come_gravest_first() -> None:
    verdict = judged(a_match("a/warned", raw=0.9), a_match("z/failed", identical=SAME_STATISTICS))

    assert [f.outcome for f in verdict.findings] == [Outcome.FAIL, Outcome.WARN]


@pytest.mark.parametrize(
    ("unmeasured", "outcome", "unchecked"),
    [
        (Unmeasured.FAIL, Outcome.FAIL, True),
        (Unmeasured.WARN, Outcome.WARN, False),
        (Unmeasured.IGNORE, Outcome.PASS, False),
    ],
)
def test_the_policy_decides_what_unmeasured_means(
    unmeasured: Unmeasured, outcome: Outcome, unchecked: bool
) -> None:
    facts = Facts(None, ("no attention",), True, frozenset(), a_library())

    verdict = judge(replace(default_policy(), unmeasured=unmeasured), facts)

    assert (verdict.outcome, verdict.unchecked) == (outcome, unchecked)


def test_what_was_measured_in_part_only_warns() -> None:
    verdict = judged(unmeasured=("model.layers.3: q gives 8 rows, o takes 4",))

    assert verdict.outcome is Outcome.WARN
    assert "model.layers.3" in verdict.findings[0].detail


def test_every_rule_kind_can_object_and_can_accept() -> None:
    found = a_weighed("a/b", DERIVED, raw=0.99)
    worst = Facts((found,), ("a part",), True, frozenset(), a_library())
    nothing = Facts((), (), True, frozenset(), a_library())
    every = a_policy(Threshold(Level.RESEMBLES, DECLARED, 1e-6))
    off = a_policy()
    for name, rule in RULE_KINDS.items():
        objections: list[Finding] = list(rule(every, worst))
        assert objections and {o.rule for o in objections} == {name}
        assert not list(rule(every, nothing))
        assert name == "unmeasured" or not list(rule(off, worst))


def test_too_little_measured_counts_as_unmeasured() -> None:
    verdict = judged(a_match(raw=0.1), unmeasured=("18 of 24 layers",), covered=False)

    assert (verdict.outcome, verdict.unchecked) == (Outcome.FAIL, True)


def test_no_tower_hides_another() -> None:
    real = a_match(raw=0.997, detrended=0.96, layers=24)
    decoy = replace(real.profiles[0], raw=0.9999, detrended=0.999, layers=7)
    both = replace(real, profiles=(decoy, *real.profiles))

    assert judged(both, policy=declared_profile()).outcome is Outcome.FAIL


def test_a_sibling_as_identical_as_the_declared_base_is_expected() -> None:
    lineage = (a_reference("s/sibling", TOWER, parents=("b/base",)),)
    sibling, base = (
        a_match("s/sibling", identical=SAME_STATISTICS),
        a_match("b/base", identical=SAME_STATISTICS),
    )

    assert judged(sibling, base, declared=("b/base",), lineage=lineage).outcome is Outcome.PASS
    same_files = replace(sibling, identical=SAME_FILES)
    assert judged(same_files, base, declared=("b/base",), lineage=lineage).outcome is Outcome.FAIL
