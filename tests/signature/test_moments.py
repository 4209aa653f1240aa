"""Means and standard deviations hold at every magnitude, whole or in parts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpcheck.errors import CheckError
from fpcheck.signature.decode import Doubles
from fpcheck.signature.moments import Part, exact, merge, rounded

random = np.random.default_rng(7)


def of(values: Doubles) -> Part:
    part = exact(values.copy())
    assert part is not None
    return part


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e-38, 1.0, 1e30, 1e150, 1e300])
def test_the_magnitude_does_not_matter(scale: float) -> None:
    values = random.normal(1, 1, 10_001)

    part = of(values * scale)

    assert part.std == pytest.approx(values.std() * scale, rel=1e-12)
    assert part.mean == pytest.approx(values.mean() * scale, rel=1e-12)


def test_subnormals_have_a_spread_though_their_squares_vanish() -> None:
    part = of(np.array([0.0, 2.0, 4.0]) * 2.0**-1070)

    assert part.std == pytest.approx(math.sqrt(8 / 3) * 2.0**-1070, rel=0.05)  # a few bits are left


@pytest.mark.parametrize("value", [0.0, -0.0, 0.1, -1e300, 5e-324, 65504.0])
def test_a_constant_has_no_spread_at_all(value: float) -> None:
    part = merge([of(np.full(count, value)) for count in (1, 999, 4097)])

    assert part == Part(5097, value, 0.0)


def test_a_large_mean_does_not_hide_a_tiny_spread() -> None:
    offsets = random.normal(0, 1, 50_000)
    values = 1e6 + offsets * 1e-3

    assert of(values).std == pytest.approx((values - 1e6).std(), rel=1e-9)


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=6), st.floats(-1e3, 1e3))
@settings(deadline=None, max_examples=50)
def test_parts_make_the_whole(sizes: list[int], centre: float) -> None:
    parts = [random.normal(centre, random.uniform(0.5, 5), size) for size in sizes]
    values = np.concatenate(parts)

    part = merge(map(of, parts))

    assert part.count == values.size
    assert part.mean == pytest.approx(values.mean(), rel=1e-12, abs=1e-12)
    assert part.std == pytest.approx(values.std(), rel=1e-11, abs=1e-12)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_has_no_moments(value: float) -> None:
    values = random.normal(size=100)
    values[37] = value

    assert exact(values) is None


def test_ten_digits_are_kept_and_zero_has_no_sign() -> None:
    moments = rounded(Part(3, -0.0, 0.123456789012345))

    assert math.copysign(1, moments.mean or 0.0) == 1
    assert moments.std == 0.1234567890


def test_a_mean_beyond_float64_is_an_error_and_no_number() -> None:
    largest = np.finfo(np.float64).max
    parts = [of(np.full(2, value)) for value in (largest, -largest)]

    with pytest.raises(CheckError, match="beyond float64"):
        rounded(merge(parts))
