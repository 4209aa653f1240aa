"""The quick ways give what float64 gives, to one part in ten million, or step aside."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpcheck.signature.decode import STORED, Doubles, Stored
from fpcheck.signature.kernels import BLOCK, SINGLES, UNIT, Scratch, part_of
from fpcheck.signature.moments import Part
from tests.signature.samples import stored, worths

scratch = Scratch()


def measured(elements: Stored, dtype: str) -> Part | None:
    with np.errstate(all="ignore"):
        return part_of(elements, dtype, scratch)


def check(elements: Stored, dtype: str) -> None:
    """The moments agree with numpy's of the same elements in float64."""
    truth = worths(elements, dtype)
    part = measured(elements, dtype)
    assert part is not None
    assert part.count == truth.size
    assert part.std == pytest.approx(truth.std(), rel=1e-7, abs=1e-300)
    # A mean near zero is the difference of larger sums: it is as good as the spread allows.
    assert part.mean == pytest.approx(truth.mean(), rel=1e-7, abs=1e-9 * truth.std())


def normal(count: int, mean: float = 0.0, std: float = 0.02, seed: int = 0) -> Doubles:
    return np.random.default_rng(seed).normal(mean, std, count)


@pytest.mark.parametrize("dtype", STORED)
@pytest.mark.parametrize("count", [1, 2, 255, 513, SINGLES, SINGLES + 1, 3 * BLOCK - 6, UNIT])
def test_any_number_of_elements(dtype: str, count: int) -> None:
    check(stored(normal(count), dtype), dtype)


@pytest.mark.parametrize("dtype", STORED)
@pytest.mark.parametrize("mean", [0.005, 0.1, 1.0, -100.0])
def test_any_mean(dtype: str, mean: float) -> None:
    check(stored(normal(80_000, mean), dtype), dtype)


@pytest.mark.parametrize("dtype", ["F64", "F32", "BF16"])
@pytest.mark.parametrize("std", [1e-44, 1e-38, 1e-20, 1e-15, 1e18, 1e30, 1e37])
def test_any_magnitude(dtype: str, std: float) -> None:
    check(stored(normal(80_000, std=std), dtype), dtype)


@pytest.mark.parametrize("std", [1e-7, 1e-5, 1e4])
def test_a_half_may_be_subnormal_or_large(std: float) -> None:
    check(stored(normal(80_000, std=std), "F16"), "F16")


@pytest.mark.parametrize("dtype", STORED)
@pytest.mark.parametrize("value", [0.0, -0.75, 1.0])
def test_a_constant_has_no_spread(dtype: str, value: float) -> None:
    assert measured(stored(np.full(80_000, value), dtype), dtype) == Part(80_000, value, 0.0)


def test_every_finite_half_at_once() -> None:
    codes = np.arange(1 << 16, dtype="<u2").view("<f2")
    check(codes[np.isfinite(codes)], "F16")


@pytest.mark.parametrize("dtype", ["F64", "F32", "BF16"])
@pytest.mark.parametrize("share", [1 / 2, 1 / 32, 1 / 256, 1 / 2048, 1 / UNIT])
@pytest.mark.parametrize("size", [10.0, 300.0, 5000.0])
def test_outliers_do_not_swallow_the_rest(dtype: str, share: float, size: float) -> None:
    values = normal(UNIT)
    values[:: round(1 / share)] *= size * np.sign(normal(math.ceil(UNIT * share), seed=1))
    check(stored(values, dtype), dtype)


@pytest.mark.parametrize("dtype", ["F64", "F32", "BF16"])
@pytest.mark.parametrize("small", [2.0**-5, 2.0**-9.6, 2.0**-11])
def test_two_magnitudes_only(dtype: str, small: float) -> None:
    values = np.where(normal(UNIT) > 0, 1.0, small) * np.sign(normal(UNIT, seed=1))
    check(stored(values, dtype), dtype)


@pytest.mark.parametrize("every", [64, 256, 2048, 32 * 512 + 1, 100_000])
@pytest.mark.parametrize("size", [2.0**11, 2.0**12, 2.0**13])
def test_ones_are_not_lost_beside_outliers(every: int, size: float) -> None:
    values = np.sign(normal(UNIT))
    values[::every] = size
    check(stored(values, "BF16"), "BF16")


@given(st.integers(0, 2**32 - 1), st.integers(1, 150_000), st.floats(0.1, 4), st.floats(-3, 3))
@settings(deadline=None, max_examples=40)
def test_tails_of_any_weight(seed: int, count: int, weight: float, mean: float) -> None:
    random = np.random.default_rng(seed)
    values = mean + random.normal(size=count) * np.exp(weight * random.normal(size=count))
    for dtype in ("F32", "BF16"):
        check(stored(values, dtype), dtype)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["BF16", "F16", "F8_E4M3", "F8_E5M2"]))
@settings(deadline=None, max_examples=40)
def test_any_bits(seed: int, dtype: str) -> None:
    size = STORED[dtype].itemsize
    bits = np.random.default_rng(seed).integers(0, 1 << 8 * size, 20_000, dtype=f"u{size}")
    codes = bits.view(STORED[dtype])
    with np.errstate(invalid="ignore"):
        codes = codes[np.isfinite(worths(codes, dtype))]
    check(codes, dtype)


@pytest.mark.parametrize("dtype", STORED)
@pytest.mark.parametrize("count", [300, 80_000, 80_001])
@pytest.mark.parametrize("place", [0, 299])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_always_noticed(
    dtype: str, count: int, place: int, value: float
) -> None:
    elements = stored(normal(count), dtype)
    elements[place] = 0x7F if dtype == "F8_E4M3" else stored(np.array([value]), dtype)[0]

    assert measured(elements, dtype) is None


def test_finite_values_whose_squares_overflow_are_not_taken_for_infinite() -> None:
    for dtype, value in (("F32", 3e38), ("BF16", 3e38), ("F64", 1e300)):
        values = np.where(normal(80_000) > 0, value, -value / 2)
        part = measured(stored(values, dtype), dtype)
        assert part is not None
        assert part.std == pytest.approx(value * 0.75, rel=0.01)


def test_it_does_not_matter_where_in_memory_the_elements_lie() -> None:
    content = stored(normal(80_000), "BF16").tobytes()
    parts = {
        measured(np.frombuffer(b"\0" * gap + content, "<u2", offset=gap), "BF16")
        for gap in (0, 1, 2, 3, 4, 16)
    }

    assert len(parts) == 1
