"""What the rules make of the weights' evidence: each level, each threshold, and the excuses."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpcheck.comparison import Level, Match
from fpcheck.comparison.evidence import WeightEvidence, p_value
from fpcheck.comparison.identity import SAME_FILES, SAME_SAMPLES, SAME_STATISTICS
from fpcheck.policy import Policy, ProfileThreshold, Threshold
from fpcheck.policy.load import default_policy
from fpcheck.reference import Reference
from fpcheck.verdict import Facts, Outcome, Verdict, judge
from fpcheck.verdict.words import INITIAL, OPEN, SUSPECTED
from tests import evidence
from tests.evidence import (
    DERIVED,
    NOTHING,
    PARTIAL,
    SAME,
    TEXT,
    TOWER,
    TRANSFORMED,
    a_weighed,
    forms,
    samples,
    weights,
)
from tests.signatures import a_library, a_reference

VISION = "vision_tower.layers"
OF_LEVEL: dict[Level, Match] = {
    Level.NONE: a_weighed("a/b", NOTHING, raw=0.5),
    Level.RESEMBLES: a_weighed("a/b", NOTHING, raw=0.99),
    Level.PARTIAL: a_weighed("a/b", PARTIAL),
    Level.TRANSFORMED: a_weighed("a/b", TRANSFORMED, raw=0.2),
    Level.DERIVED: a_weighed("a/b", DERIVED, raw=0.99),
    Level.IDENTICAL: a_weighed("a/b", SAME, identical=SAME_STATISTICS),
}
LINEAGE = (
    a_reference("b/base", TOWER),
    a_reference("s/sibling", TOWER, parents=("b/base",)),
)


def judged(
    *matches: Match,
    policy: Policy | None = None,
    declared: tuple[str, ...] = (),
    lineage: tuple[Reference, ...] = LINEAGE,
    parts: frozenset[str] = frozenset(),
) -> Verdict:
    facts = Facts(matches, (), True, frozenset(declared), a_library(*lineage), parts)
    return judge(policy or default_policy(), facts)


def of(fail: Threshold | None = None, warn: Threshold | None = None) -> Policy:
    return replace(default_policy(), fail=fail or Threshold(None), warn=warn or Threshold(None))


def rated(limit: float) -> Policy:
    return of(Threshold(None, None, limit))


def message(found: WeightEvidence, policy: Policy | None = None) -> str:
    return judged(a_weighed("a/b", found), policy=policy).findings[0].message


# levels


def test_there_is_a_match_of_every_level() -> None:
    assert {level: match.level for level, match in OF_LEVEL.items()} == {m: m for m in Level}


@pytest.mark.parametrize("level", Level)
def test_the_default_fails_what_derives_and_warns_of_what_resembles(level: Level) -> None:
    expected = {
        Level.NONE: Outcome.PASS,
        Level.RESEMBLES: Outcome.WARN,
        Level.PARTIAL: Outcome.WARN,
    }

    assert judged(OF_LEVEL[level]).outcome is expected.get(level, Outcome.FAIL)


@pytest.mark.parametrize("threshold", [None, *tuple(Level)[1:]])
@pytest.mark.parametrize("level", Level)
def test_a_threshold_objects_to_its_level_and_all_that_is_stronger(
    level: Level, threshold: Level | None
) -> None:
    reached = threshold is not None and list(Level).index(level) >= list(Level).index(threshold)
    contradicted = level is Level.RESEMBLES  # the weights say otherwise
    fails = Outcome.WARN if contradicted else Outcome.FAIL

    failing = judged(OF_LEVEL[level], policy=of(Threshold(threshold)))
    warning = judged(OF_LEVEL[level], policy=of(warn=Threshold(threshold)))

    assert failing.outcome is (fails if reached else Outcome.PASS)
    assert warning.outcome is (Outcome.WARN if reached else Outcome.PASS)


@pytest.mark.parametrize("level", tuple(Level)[1:])
def test_what_is_declared_is_noted_whatever_the_level(level: Level) -> None:
    verdict = judged(OF_LEVEL[level], declared=("a/b",))

    assert verdict.outcome is Outcome.PASS
    assert [(note.reference, note.rule) for note in verdict.notes] == [("a/b", "level")]
    assert verdict.notes[0].message.startswith(f"{level}: ")


def test_a_level_that_no_piece_of_evidence_explains_stands_all_the_same() -> None:
    bare = Match(a_reference("a/b", TOWER), Level.DERIVED, ())

    assert [f.message for f in judged(bare).findings] == ["derived"]
    beside = replace(OF_LEVEL[Level.RESEMBLES], level=Level.DERIVED)
    assert judged(beside).outcome is Outcome.FAIL


# what is said


def test_a_derivation_is_told_by_its_signs_and_layers() -> None:
    assert message(DERIVED) == (
        "derived: the signs of its weights agree with the reference's in 16 of 16 layers "
        "(ρ 0.9800, p < 1e-99); identical depth: layers 0–15 ↔ 0–15"
    )


def test_a_change_of_basis_is_suspected_where_signs_show_nothing() -> None:
    assert message(TRANSFORMED) == (
        "derived-transformed: attention forms agree in 16 of 16 layers (q·k 0.9900, v·o 0.9800; "
        f"no control above 0.2900); {SUSPECTED}; identical depth: layers 0–15 ↔ 0–15"
    )


def test_no_change_of_basis_is_suspected_where_signs_were_not_compared_or_show_some() -> None:
    assert f"; {OPEN}; " in message(weights(None, forms()))
    assert "; the signs in 5 of 16; " in message(weights(samples(5, 0.3, 1.0), forms()))


def test_forms_without_controls_or_values_say_so() -> None:
    assert "(q·k 0.9900, v·o –; without controls)" in message(
        weights(None, forms(vo=math.nan, controls=0))
    )


def test_a_part_is_told_by_the_layers_that_are_taken() -> None:
    assert message(PARTIAL) == (
        "partial: the signs of its weights agree with the reference's in 4 of 16 layers "
        "(ρ 0.9700, p < 1e-99); one block taken from elsewhere: layers 4–7 ↔ 4–7"
    )
    assert message(weights(samples(0, 0.0, 1.0), forms(4))).startswith(
        "partial: attention forms agree in 4 of 16 layers"
    )


def test_the_same_samples_are_told_as_the_comparison_tells_them() -> None:
    found = a_weighed("a/b", SAME, identical=SAME_SAMPLES)

    assert judged(found).outcome is Outcome.FAIL
    assert judged(found).findings[0].message.startswith(f"identical: {SAME_SAMPLES}; ident")


@pytest.mark.parametrize(
    ("found", "shared"),
    [
        (weights(samples(rho=0.23), forms(0, 0.02, 0.02)), True),
        (weights(samples(5, 0.23, 1.0), forms(0, 0.02, 0.02)), True),
        (weights(samples(rho=0.5), forms(0, 0.02, 0.02)), False),  # as real derivatives have
        (weights(samples(rho=0.23), forms(1, 0.02, 0.02)), False),
        (weights(samples(rho=0.23), None), False),  # nothing says that they do other things
        (weights(samples(rho=0.23), forms(0, of=0)), False),
        (DERIVED, False),
    ],
)
def test_a_shared_initialisation_has_words_of_its_own(found: WeightEvidence, shared: bool) -> None:
    assert (INITIAL in message(found)) is shared


@pytest.mark.parametrize(
    ("p", "words"),
    [
        *((0.0, "p < 1e-99"), (9e-100, "p < 1e-99"), (3.21e-12, "p = 3e-12")),
        *((0.0099, "p = 0.0099"), (0.5, "p = 0.5"), (math.nan, "p undefined")),
    ],
)
def test_a_probability_is_never_told_as_nothing(p: float, words: str) -> None:
    assert p_value(p) == words


# towers


def test_a_tower_beside_the_texts_only_warns_and_is_named() -> None:
    found = a_weighed("a/b", replace(DERIVED, tower=VISION))

    (finding,) = judged(found, parts=frozenset({VISION})).findings

    assert (finding.outcome, finding.detail) == (Outcome.WARN, VISION)
    assert finding.message.endswith("; a warning only: of a tower beside the text's")
    assert judged(found).outcome is Outcome.FAIL


@pytest.mark.parametrize("part", [DERIVED, SAME])
def test_a_tower_beside_the_texts_neither_hides_nor_speaks_for_the_text(
    part: WeightEvidence,
) -> None:
    vision, parts = replace(part, tower=VISION), frozenset({VISION})
    identical = SAME_SAMPLES if part.same else ""

    def outcome(text: WeightEvidence) -> Outcome:
        return judged(a_weighed("a/b", vision, text, identical=identical), parts=parts).outcome

    assert outcome(TRANSFORMED) is Outcome.FAIL
    assert outcome(PARTIAL) is Outcome.WARN
    assert outcome(NOTHING) is Outcome.WARN


# a profile beside weights

PROFILE = of(Threshold(None, ProfileThreshold(0.95, 0.80)))


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        ((NOTHING,), Outcome.WARN),
        ((), Outcome.FAIL),
        ((weights(evidence.UNRELATED[0], None),), Outcome.FAIL),  # as after a permutation
        ((weights(None, evidence.UNRELATED[1]),), Outcome.FAIL),
        ((replace(NOTHING, tower=VISION),), Outcome.FAIL),
        ((PARTIAL,), Outcome.FAIL),
        ((PARTIAL, NOTHING), Outcome.FAIL),  # against two towers of the reference
        ((DERIVED,), Outcome.FAIL),
    ],
)
def test_a_profile_fails_unless_both_kinds_of_the_same_towers_weights_contradict_it(
    found: tuple[WeightEvidence, ...], outcome: Outcome
) -> None:
    verdict = judged(a_weighed("a/b", *found, raw=0.99), policy=PROFILE)

    assert verdict.outcome is outcome
    words = "a warning only: the weights themselves were compared and show no descent"
    assert (words in verdict.findings[0].message) is (outcome is Outcome.WARN)


def test_weights_contradict_the_published_figures_of_the_same_id_too() -> None:
    figures = evidence.a_match("a/b", digits=6)
    other = a_weighed("a/other", NOTHING, raw=0.5)

    assert judged(figures, other, policy=PROFILE).outcome is Outcome.FAIL
    contradiction = a_weighed("a/b", NOTHING, raw=0.99)
    assert judged(figures, contradiction, policy=PROFILE).outcome is Outcome.WARN


def test_a_warning_of_a_profile_tells_of_the_contradiction() -> None:
    (finding,) = judged(a_weighed("a/b", NOTHING, raw=0.99)).findings

    assert finding.outcome is Outcome.WARN
    assert finding.message.endswith(
        "over 16 layers; the weights themselves were compared and show no descent"
    )


# the false-positive rate


@pytest.mark.parametrize(
    ("p", "limit", "outcome"),
    [
        (1e-7, 1e-6, Outcome.FAIL),
        (1e-6, 1e-6, Outcome.FAIL),
        (1.01e-6, 1e-6, Outcome.PASS),
        (1.0, 0.99, Outcome.PASS),
        (1.0, 1.0, Outcome.FAIL),
        (math.nan, 1e-6, Outcome.FAIL),  # undefined, though something was compared
    ],
)
def test_a_rate_objects_to_signs_of_at_most_that_probability(
    p: float, limit: float, outcome: Outcome
) -> None:
    found = a_weighed("a/b", weights(samples(0, 0.1, p), None))

    assert judged(found, policy=rated(limit)).outcome is outcome
    assert judged(found, policy=of(warn=Threshold(None, None, limit))).outcome is (
        Outcome.WARN if outcome is Outcome.FAIL else Outcome.PASS
    )


def test_a_rate_is_that_corrected_for_all_references() -> None:
    corrected = replace(samples(0, 0.1, 1e-9), p_holm=1e-3)

    assert judged(a_weighed("a/b", weights(corrected)), policy=rated(1e-6)).findings == ()


@pytest.mark.parametrize("raw", [0.2, 1.0])
@pytest.mark.parametrize("found", [(), (weights(None, None),), (weights(samples(0, 0, 1, of=0)),)])
def test_where_no_weights_were_compared_there_is_no_rate(
    found: tuple[WeightEvidence, ...], raw: float
) -> None:
    assert judged(a_weighed("a/b", *found, raw=raw), policy=rated(1.0)).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("hits", "controls", "limit", "outcome"),
    [
        (16, 3000, 0.001, Outcome.FAIL),  # 3 of 3000, for one comparison
        (11, 3000, 0.001, Outcome.FAIL),  # two thirds of 16 layers
        (10, 3000, 0.001, Outcome.PASS),
        (16, 2999, 0.001, Outcome.PASS),
        (16, 1, 0.999, Outcome.PASS),
        (16, 0, 0.999, Outcome.PASS),  # without controls nothing bounds the rate
    ],
)
def test_a_rate_of_forms_is_what_their_controls_bound_it_by(
    hits: int, controls: int, limit: float, outcome: Outcome
) -> None:
    found = a_weighed("a/b", weights(None, forms(hits, controls=controls)))

    assert judged(found, policy=rated(limit)).outcome is outcome


def test_a_bound_of_controls_counts_every_comparison() -> None:
    found = a_weighed("a/b", weights(None, forms(controls=3000)))
    strangers = [a_weighed(f"s/{n}", NOTHING) for n in range(2)]  # two kinds of evidence each

    assert judged(found, *strangers, policy=rated(0.005)).outcome is Outcome.FAIL
    assert judged(found, *strangers, policy=rated(0.0049)).outcome is Outcome.PASS


def test_files_that_are_the_same_are_so_by_no_accident() -> None:
    same = evidence.a_match(identical=SAME_FILES)

    assert judged(same, policy=rated(1e-300)).outcome is Outcome.FAIL


def test_a_rate_is_told_and_respects_parts_and_declarations() -> None:
    found = a_weighed("a/b", weights(samples(p=1e-12), None))
    vision = a_weighed("a/b", replace(found.weights[0], tower=VISION))
    policy = rated(1e-6)

    (finding,) = judged(found, policy=policy).findings
    assert finding.rule == "false_positive_rate"
    assert finding.message.endswith("; corrected for all comparisons, p = 1e-12")
    assert judged(found, policy=policy, declared=("a/b",)).outcome is Outcome.PASS
    assert judged(vision, policy=policy, parts=frozenset({VISION})).outcome is Outcome.WARN


# lineage


def of_distance(identity: str, distance: float, tower: str = TEXT) -> Match:
    return a_weighed(identity, weights(samples(rho=1 - distance), forms(), tower=tower))


@pytest.mark.parametrize(
    ("here", "there", "outcome"),
    [
        (0.1, 0.05, Outcome.PASS),  # a sibling is as far as both have gone
        (0.05, 0.05, Outcome.PASS),
        (0.026, 0.05, Outcome.PASS),
        (0.024, 0.05, Outcome.WARN),
        (0.0, 0.05, Outcome.WARN),
        (0.0, 1e-6, Outcome.PASS),  # a dtype's rounding
        (0.0, 1.0, Outcome.WARN),  # of the declared base there is nothing
    ],
)
def test_a_sibling_is_expected_unless_it_is_nearer_than_the_base(
    here: float, there: float, outcome: Outcome
) -> None:
    sibling, base = of_distance("s/sibling", here), of_distance("b/base", there)

    verdict = judged(sibling, base, declared=("b/base",))

    assert verdict.outcome is outcome
    found = [f for f in (*verdict.findings, *verdict.notes) if f.reference == "s/sibling"]
    assert [f.detail for f in found] == ["b/base"]
    nearer = (
        f"nearer to it (1 - ρ = {here:.1e}) than to what the declaration covers "
        f"(1 - ρ = {there:.1e})"
    )
    words = "expected of a common ancestor" if outcome is Outcome.PASS else nearer
    assert found[0].message.endswith(words)


def test_where_the_common_ancestor_was_not_sampled_a_sibling_may_be_near() -> None:
    lineage = (*LINEAGE, a_reference("b/base", TOWER, parents=("o/old",), digits=6))
    sibling, old = of_distance("s/sibling", 0.01), of_distance("o/old", 0.4)
    figures = evidence.a_match("b/base", digits=6)

    verdict = judged(sibling, figures, old, declared=("b/base",), lineage=lineage)

    assert verdict.outcome is Outcome.PASS


def test_a_declared_cousin_that_is_nearer_still_excuses_a_sibling() -> None:
    lineage = (*LINEAGE, a_reference("o/own", TOWER, parents=("b/base",)))
    found = [
        of_distance("s/sibling", 0.01),
        of_distance("b/base", 0.1),
        of_distance("o/own", 0.015),
    ]

    assert judged(*found, declared=("o/own",), lineage=lineage).outcome is Outcome.PASS
    assert judged(*found[:2], declared=("o/own",), lineage=lineage).outcome is Outcome.WARN


def test_nearness_compares_the_same_tower_and_no_part() -> None:
    sibling, base = of_distance("s/sibling", 0.0, VISION), of_distance("b/base", 0.1, VISION)

    def outcome(*found: Match) -> Outcome:
        return judged(*found, declared=("b/base",), parts=frozenset({VISION})).outcome

    assert outcome(sibling, base) is Outcome.PASS
    assert outcome(of_distance("s/sibling", 0.0), base) is Outcome.PASS


def test_of_several_towers_of_a_reference_the_nearest_counts() -> None:
    far, near = (of_distance("b/base", distance).weights[0] for distance in (1.0, 0.05))
    sibling = of_distance("s/sibling", 0.04)

    for found in ((far, near), (near, far)):
        base = a_weighed("b/base", *found)
        assert judged(sibling, base, declared=("b/base",)).outcome is Outcome.PASS


def test_an_undefined_distance_is_none() -> None:
    sibling, base = of_distance("s/sibling", math.nan), of_distance("b/base", 0.1)

    assert judged(sibling, base, declared=("b/base",)).outcome is Outcome.PASS


def test_what_the_policy_does_not_object_to_is_not_held_against_the_base() -> None:
    sibling, base = of_distance("s/sibling", 0.0), of_distance("b/base", 0.1)

    assert judged(sibling, base, policy=of(), declared=("b/base",)).findings == ()


@pytest.mark.parametrize(
    ("sibling", "base", "outcome"),
    [
        (SAME_STATISTICS, SAME_STATISTICS, Outcome.PASS),  # a head was added, say
        (SAME_STATISTICS, SAME_SAMPLES, Outcome.PASS),  # and a dtype changed
        (SAME_SAMPLES, SAME_STATISTICS, Outcome.PASS),
        (SAME_FILES, SAME_STATISTICS, Outcome.FAIL),
        (SAME_STATISTICS, "", Outcome.FAIL),
        (SAME_SAMPLES, "", Outcome.FAIL),
    ],
)
def test_an_identical_sibling_is_expected_where_the_base_is_identical_too(
    sibling: str, base: str, outcome: Outcome
) -> None:
    found = [
        a_weighed("s/sibling", SAME, identical=sibling),
        a_weighed("b/base", SAME if base else DERIVED, identical=base),
    ]

    assert judged(*found, declared=("b/base",)).outcome is outcome


# whatever the evidence

SHARE = st.floats(-1, 1) | st.just(math.nan)
RATE = st.floats(0, 1) | st.just(math.nan)
COUNT = st.integers(0, 12)
EVIDENCE = st.builds(
    weights,
    st.none() | st.builds(samples, COUNT, SHARE, RATE, of=st.just(12)),
    st.none() | st.builds(forms, COUNT, SHARE, SHARE, of=st.just(12), controls=st.just(99)),
    tower=st.sampled_from([TEXT, VISION]),
    same=st.booleans(),
)
MATCHES = st.builds(
    lambda identity, found, raw: a_weighed(identity, *found, raw=raw),
    st.sampled_from(["a/b", "b/base", "s/sibling"]),
    st.lists(EVIDENCE, max_size=3),
    SHARE,
)
THRESHOLDS = st.builds(
    Threshold,
    st.none() | st.sampled_from(tuple(Level)[1:]),
    st.none() | st.builds(ProfileThreshold, st.floats(-1, 1), st.none() | st.floats(-1, 1)),
    st.none() | st.floats(0, 1, exclude_min=True),
)
ORDER = list(Outcome)
RUN = settings(max_examples=200, deadline=None, derandomize=True, database=None)


def stricter(threshold: Threshold) -> Threshold:
    """The same rules, each objecting to more."""
    rank = threshold.level.rank if threshold.level else len(Level)
    rate = threshold.false_positive_rate or 1e-9
    weaker = list(Level)[max(rank - 1, 1)]
    return replace(threshold, level=weaker, false_positive_rate=min(1.0, rate * 10))


@RUN
@given(st.lists(MATCHES, max_size=3), THRESHOLDS, THRESHOLDS, st.sampled_from([(), ("b/base",)]))
def test_any_evidence_comes_to_one_finding_a_reference(
    matches: list[Match], fail: Threshold, warn: Threshold, declared: tuple[str, ...]
) -> None:
    verdict = judged(*matches, policy=of(fail, warn), declared=declared)
    found = [*verdict.findings, *verdict.notes]

    assert len({f.reference for f in found}) == len(found)
    assert all(f.message.isprintable() and "nan" not in f.message.split() for f in found)
    assert all(f.reference not in declared for f in verdict.findings)


@RUN
@given(st.lists(MATCHES, max_size=3), THRESHOLDS, THRESHOLDS)
def test_a_stricter_threshold_is_never_milder(
    matches: list[Match], fail: Threshold, warn: Threshold
) -> None:
    before = judged(*matches, policy=of(fail, warn)).outcome
    after = judged(*matches, policy=of(stricter(fail), stricter(warn))).outcome

    assert ORDER.index(after) >= ORDER.index(before)


@RUN
@given(st.lists(MATCHES, max_size=3), THRESHOLDS)
def test_a_declaration_is_never_graver(matches: list[Match], fail: Threshold) -> None:
    before = judged(*matches, policy=of(fail))
    after = judged(*matches, policy=of(fail), declared=("a/b",))

    assert ORDER.index(after.outcome) <= ORDER.index(before.outcome)
