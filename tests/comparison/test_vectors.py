"""Gains and biases: centred, and silent where there is nothing to compare."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fpcheck.comparison.vectors import vector_correlations
from tests.weights import Arrays, random_arrays

PAIRS = [(i, i) for i in range(6)]


def arrays(values: np.ndarray, role: str = "norm") -> Arrays:
    return replace(random_arrays(0, 6, forms=False), vectors={role: values.astype(np.float16)})


def gains(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.5, 1.5, (6, 32))


def found(one: np.ndarray, other: np.ndarray) -> float | None:
    return vector_correlations(arrays(one), arrays(other), PAIRS)["norm"]


def test_positive_vectors_of_strangers_do_not_correlate() -> None:
    value = found(gains(1), gains(2))

    assert value is not None
    assert abs(value) < 0.25  # their raw cosine is 0.92


@pytest.mark.parametrize(("scale", "shift"), [(1, 0), (3, 0), (1, 1), (-2, 0.5)])
def test_scale_and_level_do_not_matter(scale: float, shift: float) -> None:
    assert found(gains(1), gains(1) * scale + shift) == pytest.approx(np.sign(scale), abs=1e-3)


def test_constant_vectors_are_folded() -> None:
    ones = np.ones((6, 32))

    assert found(ones, gains(1)) is None
    assert found(gains(1), ones * 0.3) is None
    assert found(np.zeros((6, 32)), gains(1)) is None
    assert found(ones + gains(1) * 1e-4, gains(1)) is None


def test_what_is_missing_takes_no_part() -> None:
    one, other = gains(1), gains(1)
    one[:, 20:] = np.nan
    other[2:, :] = np.nan

    assert found(one, other) == pytest.approx(1, abs=1e-3)
    one[:, 7:] = np.nan
    assert found(one, other) is None
    assert vector_correlations(arrays(one), arrays(other), [])["norm"] is None
    assert vector_correlations(arrays(one), arrays(other, "q.bias"), PAIRS) == {}
