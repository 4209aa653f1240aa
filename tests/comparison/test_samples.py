"""Sign agreements: exact probabilities, fair to strangers, and what each change leaves of them."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fpcheck.comparison.same import same_values
from fpcheck.comparison.samples import (
    Signs,
    at_least,
    correlations,
    diagonal,
    equal_depth,
    sample_table,
)
from fpcheck.signature.positions import COMMON, SAMPLES
from tests.weights import ROLES, Arrays, changed_samples, picked, random_arrays, trained


def exact(agreements: int, count: int) -> Fraction:
    return Fraction(sum(math.comb(count, k) for k in range(agreements, count + 1)), 2**count)


@given(st.integers(0, 900), st.data())
@example(0, None)
@example(1, None)
@settings(max_examples=60, deadline=None)
def test_the_tail_is_the_exact_one(count: int, data: st.DataObject | None) -> None:
    for agreements in (0, count, (count + 1) // 2, count // 2 + 1):
        agree(agreements, count)
    if data:
        agree(data.draw(st.integers(0, count)), count)


def agree(agreements: int, count: int) -> None:
    assert at_least(agreements, count) == pytest.approx(float(exact(agreements, count)), rel=1e-9)


def test_the_tail_of_a_whole_model() -> None:
    """1,792 signs a layer, as the logarithm of an exact integer says; and of all layers."""
    for count, agreements in ((1792, 1200), (1792, 900), (5376, 3000)):
        tail = sum(math.comb(count, k) for k in range(agreements, count + 1))
        log = math.log(tail) - count * math.log(2)
        assert math.log(at_least(agreements, count)) == pytest.approx(log, rel=1e-9)
    for count in (126 * 1792, 10**6):
        assert at_least(count // 2, count) == pytest.approx(0.5, abs=1e-3)
        assert 0 <= at_least(count, count) < 1e-300
        sigma = math.sqrt(count) / 2
        found = at_least(int(count / 2 + 5 * sigma), count)
        assert found == pytest.approx(math.erfc(5 / math.sqrt(2)) / 2, rel=0.1)


def test_the_tail_falls_from_one_to_nothing() -> None:
    found = [at_least(k, 1792) for k in range(1793)]

    assert found[0] == 1
    assert all(0 <= b <= a <= 1 for a, b in pairwise(found))
    assert at_least(0, 0) == 1
    assert at_least(1, 0) == 0
    assert found[-1] == 0.0  # 2 ** -1792 is below a float's range


def plain_counts(one: Arrays, other: Arrays, i: int, j: int) -> tuple[float, int]:
    """Agreements and positions by definition; what leaning to one side explains is taken off."""
    agreements, count = 0.0, 0
    for role in set(one.samples) & set(other.samples):
        own, theirs = one.samples[role][i], other.samples[role][j]
        equal = tuple(one.shapes[role][i]) == tuple(other.shapes[role][j])
        width = min(len(own), len(theirs)) if equal else COMMON
        both = (own[:width] != 0) & (theirs[:width] != 0)
        count += int(both.sum())
        agreements += int((np.sign(own) == np.sign(theirs))[:width][both].sum())
        for start, stop in ((0, COMMON), (COMMON, width)):
            leaning = [int(np.sign(v[start:stop].astype(np.float64)).sum()) for v in (own, theirs)]
            agreements -= leaning[0] * leaning[1] / max(stop - start, 1) / 2
    return agreements, count


@pytest.mark.parametrize("case", ["whole", "missing", "shapes", "roles", "one shape differs"])
def test_agreements_are_counted_as_they_are_defined(case: str) -> None:
    one, other = random_arrays(1, 5, forms=False), random_arrays(2, 7, forms=False)
    random = np.random.default_rng(3)
    if case == "missing":
        other = changed_samples(other, lambda s: np.where(random.random(s.shape) < 0.4, 0, s))
        one.samples["v"][2] = 0
        one.shapes["v"][2] = 0
    if case == "shapes":
        other = replace(other, shapes={r: s + 8 for r, s in other.shapes.items()})
    if case == "one shape differs":
        other.shapes["ff.up"][3, 0] += 8
    if case == "roles":
        other = replace(other, samples={r: other.samples[r] for r in ("q", "o")})

    table = sample_table(Signs(one), Signs(other))

    assert table.agreements.shape == table.counts.shape == (5, 7)
    for i in range(5):
        for j in range(7):
            expected = plain_counts(one, other, i, j)
            assert (table.agreements[i, j], table.counts[i, j]) == pytest.approx(expected)
            assert table.p(i, j) == at_least(int(table.agreements[i, j]), expected[1])
            z = (2 * expected[0] - expected[1]) / math.sqrt(expected[1])
            assert table.z[i, j] == pytest.approx(z)
            assert table.excess[i, j] == pytest.approx(2 * expected[0] / expected[1] - 1)


def test_models_without_a_common_role_compare_in_nothing() -> None:
    one = random_arrays(1, 3, roles=("q",), forms=False)
    other = random_arrays(2, 4, roles=("ff.up",), forms=False)

    table = sample_table(Signs(one), Signs(other))

    assert not table.counts.any()
    assert not table.z.any()
    assert not table.excess.any()
    assert table.p(0, 0) == 1
    assert equal_depth(table) == (0, 0)


def test_probabilities_of_strangers_are_uniform() -> None:
    """Over layers of equal relative depth: one look at each of 300 pairs."""
    found = []
    for seed in range(20):
        one = Signs(random_arrays(seed, 8, forms=False))
        for other in range(12):
            theirs = Signs(random_arrays(1000 + other, 5 + other, forms=False))
            found.append(at_least(*equal_depth(sample_table(one, theirs))))

    values = np.sort(found)
    distance = np.abs(values - np.linspace(0, 1, len(values))).max()
    assert distance < 1.6 / math.sqrt(len(values))  # Kolmogorov and Smirnov at 1 %
    assert values[0] > 1e-5


@pytest.mark.parametrize("rho", [1.0, 0.98, 0.7, 0.41, 0.1])
def test_agreement_follows_the_correlation(rho: float) -> None:
    one = random_arrays(5, 24, forms=False)
    other = trained(one, rho)
    pairs = [(i, i) for i in range(24)]

    agreements, count = equal_depth(sample_table(Signs(one), Signs(other)))
    found, roles = correlations(one, other, pairs)

    assert count == 24 * 7 * SAMPLES
    assert agreements / count == pytest.approx(0.5 + math.asin(rho) / math.pi, abs=0.01)
    assert found == pytest.approx(rho, abs=0.02)
    assert set(roles) == set(ROLES)
    assert all(value == pytest.approx(rho, abs=0.08) for value in roles.values())


def test_scales_signs_and_outliers_do_not_carry_a_correlation() -> None:
    one, other = random_arrays(6, 6, forms=False), random_arrays(7, 6, forms=False)
    pairs = [(i, i) for i in range(6)]
    scaled = changed_samples(one, lambda s: s.astype(np.float64) * 37)
    spoiled = [
        changed_samples(each, lambda s: np.where(np.arange(256) == 9, 5e4, s))
        for each in (one, other)
    ]

    assert correlations(one, scaled, pairs)[0] == pytest.approx(1, abs=1e-3)
    assert correlations(*spoiled, pairs)[0] < 0.15
    assert math.isnan(correlations(one, other, [])[0])


def test_layers_of_equal_relative_depth() -> None:
    for depth in range(1, 40):
        for others in range(1, 40):
            rows, columns = diagonal(depth, others)
            assert rows == list(range(depth))
            assert columns[0] == 0
            assert columns[-1] == (others - 1 if depth > 1 else 0)
            assert columns == sorted(columns)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_values_are_the_same_up_to_the_rounding_of_a_dtype(dtype: str) -> None:
    original = {
        role: np.random.default_rng(n).normal(0, 10.0**-n, (4, 256)).astype(np.float32)
        for n, role in enumerate(ROLES)
    }
    shapes = random_arrays(0, 4, forms=False)

    def kept(cast: bool, change: float = 1.0) -> Arrays:
        def own(values: np.ndarray) -> np.ndarray:
            moved = values * np.float32(change)
            if not cast:
                return moved.astype(np.float16)
            if dtype == "float16":
                return moved.astype(np.float16)
            return rounded(moved).astype(np.float16)

        return replace(shapes, samples={r: own(v) for r, v in original.items()})

    pairs = [(i, i) for i in range(4)]
    assert same_values(kept(True), kept(False), pairs)
    assert same_values(kept(True), kept(True), pairs)
    assert not same_values(kept(True), kept(False, 1.01), pairs)
    assert not same_values(kept(True), picked(kept(False), [1, 0, 2, 3]), pairs)
    assert not same_values(kept(True), kept(False), [])


def rounded(values: np.ndarray) -> np.ndarray:
    """To the nearest bfloat16."""
    bits = values.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & np.uint32(0xFFFF0000)).view(np.float32)


def test_one_weight_that_was_trained_is_a_difference() -> None:
    one = random_arrays(8, 4, forms=False)
    other = changed_samples(one, np.copy)
    place = int(np.abs(one.samples["o"][2]).argmax())
    other.samples["o"][2, place] *= 1.02

    assert not same_values(one, other, [(i, i) for i in range(4)])
    assert same_values(one, other, [(0, 0), (1, 1), (3, 3)])


@pytest.mark.parametrize("shares", [(0.75, 0.75), (1.0, 0.7), (1.0, 1.0)])
def test_weights_that_lean_to_one_side_do_not_agree_for_that_alone(
    shares: tuple[float, float],
) -> None:
    """Independent signs, of which so many are positive in each of two models."""
    random = np.random.default_rng(8)

    def leaning(share: float) -> Arrays:
        def change(samples: np.ndarray) -> np.ndarray:
            positive = random.random(samples.shape) < share
            return np.where(positive, 1, -1) * np.abs(samples)

        return changed_samples(random_arrays(4, 8, forms=False), change)

    table = sample_table(Signs(leaning(shares[0])), Signs(leaning(shares[1])))

    assert np.abs(table.z).max() < 5
