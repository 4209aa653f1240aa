"""Scores against a plain implementation of the paper, identity, and the background."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpcheck.comparison import Level, Match, ProfileIndex, match
from fpcheck.comparison.background import background
from fpcheck.comparison.false_alarms import false_alarms
from fpcheck.layouts import Role
from fpcheck.reference import Reference
from fpcheck.signature import Moments, Signature
from tests.signatures import QKVO, a_library, a_reference, a_signature, a_tower, random_curves


def matched(signature: Signature, *references: Reference) -> tuple[Match, ...]:
    return match(signature, ProfileIndex(a_library(*references)))


def plain_score(one: dict, other: dict, detrend: bool) -> float:
    """The paper in ten lines: interpolate, (detrend,) Pearson per role, mean."""
    found = []
    for role in QKVO:
        depth = max(len(one[role]), len(other[role]))
        at = np.linspace(0, 1, depth)
        pair = [np.interp(at, np.linspace(0, 1, len(c[role])), c[role]) for c in (one, other)]
        if detrend:
            pair = [curve - np.polyval(np.polyfit(at, curve, 1), at) for curve in pair]
        found.append(np.corrcoef(*pair)[0, 1])
    return float(np.mean(found))


@given(st.integers(4, 40), st.integers(4, 40), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_the_score_is_the_papers(depth: int, other_depth: int, seed: int) -> None:
    one, other = random_curves(seed, depth), random_curves(seed + 1, other_depth)

    (found,) = matched(a_signature(a_tower(one)), a_reference("a/b", a_tower(other)))

    assert found.profile is not None
    assert found.profile.raw == pytest.approx(plain_score(one, other, detrend=False), abs=1e-9)
    assert found.profile.detrended == pytest.approx(plain_score(one, other, detrend=True), abs=1e-6)
    assert found.profile.layers == min(depth, other_depth)
    assert found.profile.depths == (depth, other_depth)


@given(st.floats(1e-6, 1e6), st.floats(0, 10), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_level_and_scale_of_a_curve_do_not_matter(scale: float, shift: float, seed: int) -> None:
    curves = random_curves(seed)
    moved = {role: [scale * (value + shift) for value in curve] for role, curve in curves.items()}

    (found,) = matched(a_signature(a_tower(moved)), a_reference("a/b", a_tower(curves)))

    assert found.profile is not None
    assert found.profile.raw == pytest.approx(1, abs=1e-6)


def test_many_references_score_as_each_alone() -> None:
    signature = a_signature(a_tower(random_curves(1, 9)))
    references = [
        a_reference(f"a/m{depth}-{seed}", a_tower(random_curves(seed, depth)))
        for depth in (4, 9, 20)
        for seed in (5, 6)
    ]

    together = {m.reference.id: m.profile for m in matched(signature, *references)}

    for reference in references:
        (alone,) = matched(signature, reference)
        together_raw = together[reference.id]
        assert alone.profile is not None and together_raw is not None
        assert together_raw.raw == pytest.approx(alone.profile.raw, abs=1e-12)


def test_a_fused_tensor_is_compared_with_q_k_and_v_pooled() -> None:
    curves = random_curves(3)
    pooled = [
        math.sqrt(sum(curves[role][layer] ** 2 for role in QKVO[:3]) / 3) for layer in range(12)
    ]
    fused = a_tower({Role.QKV: pooled, Role.O: curves[Role.O]})

    (found,) = matched(a_signature(a_tower(curves)), a_reference("a/fused", fused))

    assert found.profile is not None
    assert set(found.profile.roles) == {Role.QKV, Role.O}
    assert found.profile.raw == pytest.approx(1, abs=1e-9)


def test_means_count_when_roles_are_pooled() -> None:
    tower = a_tower(random_curves(4))
    moved = {
        role: tuple(replace(m, mean=0.5 if role is Role.K else 0.0) for m in moments)
        for role, moments in tower.roles.items()
    }
    both = np.array([[m.mean, m.std] for m in (moved[r][0] for r in QKVO[:3])])
    expected = math.sqrt((both[:, 1] ** 2 + both[:, 0] ** 2).mean() - both[:, 0].mean() ** 2)

    from fpcheck.comparison.profile import curves

    assert curves(replace(tower, roles=moved))[Role.QKV][0] == pytest.approx(expected)


def test_cross_attention_is_never_compared_with_self_attention() -> None:
    cross = a_tower(random_curves(5), cross=True)

    assert matched(a_signature(a_tower(random_curves(5))), a_reference("a/b", cross)) == ()


def test_three_layers_are_too_few_to_compare() -> None:
    assert (
        matched(
            a_signature(a_tower(random_curves(6, 3))), a_reference("a/b", a_tower(random_curves(7)))
        )
        == ()
    )


def test_a_flat_role_is_left_out_of_the_mean() -> None:
    curves = random_curves(8)
    flat = {**curves, Role.K: [0.02] * 12}

    (found,) = matched(a_signature(a_tower(curves)), a_reference("a/b", a_tower(flat)))

    assert found.profile is not None
    assert math.isnan(found.profile.roles[Role.K].raw)
    assert found.profile.raw == pytest.approx(1)


def test_equal_statistics_are_identical_and_near_ones_are_not() -> None:
    tower = a_tower(random_curves(9))

    def moved(share: float) -> Match:
        roles = {
            role: tuple(Moments(m.count, m.mean, m.std * (1 + share)) for m in moments)
            for role, moments in tower.roles.items()
        }
        return matched(a_signature(replace(tower, roles=roles)), a_reference("a/b", tower))[0]

    assert moved(0).level is Level.IDENTICAL
    assert moved(5e-7).level is Level.IDENTICAL
    assert moved(2e-6).level is Level.RESEMBLES


def test_published_figures_are_never_identical() -> None:
    tower = a_tower(random_curves(10))

    (found,) = matched(a_signature(tower), a_reference("a/b", tower, digits=6))

    assert found.level is Level.RESEMBLES


def test_equal_digests_are_identical_whatever_was_measured() -> None:
    digest = "sha256:" + "a" * 64
    reference = a_reference("a/b", a_tower(random_curves(11)), digest=digest)

    (found,) = matched(a_signature(a_tower(random_curves(12)), digest=digest), reference)

    assert found.level is Level.IDENTICAL
    assert "SHA-256" in found.identical


def test_a_shared_small_tower_does_not_make_a_model_identical() -> None:
    vision = replace(a_tower(random_curves(13, 6)), name="vision")
    theirs = a_reference("a/b", a_tower(random_curves(14, 24)), vision)

    found = matched(a_signature(vision, a_tower(random_curves(15, 24))), theirs)[0]

    assert found.level is not Level.IDENTICAL


def test_the_background_counts_families_not_references() -> None:
    own = random_curves(20)
    parent = a_reference("a/parent", a_tower(own))
    strangers = [
        a_reference(f"b/s{n}", a_tower(random_curves(30 + n)), parents=("b/base",))
        for n in range(5)
    ]
    other = a_reference("c/other", a_tower(random_curves(50)))
    deep = a_reference("d/deep", a_tower(random_curves(51, 60)))

    best = matched(a_signature(a_tower(own)), parent, *strangers, other, deep)[0]

    assert best.reference is parent
    assert best.backgrounds is not None
    assert best.backgrounds.checkpoint_raw.families == 2
    assert best.backgrounds.checkpoint_raw.reaching == 0


def test_no_hit_bounds_the_rate_by_three_over_n_and_hits_estimate_it() -> None:
    scores = np.linspace(0, 0.99, 100)

    assert background(scores, 1.0).rate == pytest.approx(0.03)
    assert background(scores, 1.0).bound
    assert background(scores, 0.899).rate == pytest.approx(0.10)
    assert background(scores[:2], 1.0).rate == 1
    assert math.isnan(background(scores[:0], 1.0).rate)


def test_an_undefined_value_is_reached_by_every_stranger() -> None:
    assert background(np.array([0.1, 0.2]), math.nan).reaching == 2


def test_false_alarms_count_families_that_a_stranger_reaches() -> None:
    twin = random_curves(60)
    library = a_library(
        a_reference("a/x", a_tower(twin)),
        a_reference("b/y", a_tower(twin)),
        a_reference("c/z", a_tower(random_curves(61))),
    )

    found = false_alarms(ProfileIndex(library), 0.95)

    assert (found.reaching, found.families) == (2, 3)
