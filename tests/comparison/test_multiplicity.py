"""Holm's correction: by hand, and that it keeps its promise."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fpcheck.comparison.multiplicity import holm

probabilities = st.lists(st.floats(0, 1), max_size=20)


def test_by_hand() -> None:
    assert holm([0.01, 0.5, 0.02], 3) == [0.03, 0.5, 0.04]
    assert holm([0.01, 0.004], 10) == [0.09, 0.04]
    assert holm([0.4, 0.3], 2) == [0.6, 0.6]  # none below one before it


@given(probabilities, st.integers(0, 50))
def test_never_smaller_than_it_was_nor_larger_than_bonferroni(
    given_p: list[float], more: int
) -> None:
    looks = len(given_p) + more
    for before, after in zip(given_p, holm(given_p, looks), strict=True):
        assert before <= after <= min(1.0, before * looks)


def test_false_alarms_of_many_tests_together_stay_below_their_rate() -> None:
    random = np.random.default_rng(0)
    alarms = sum(min(holm(random.uniform(size=40).tolist(), 40)) < 0.05 for _ in range(2000))

    assert alarms / 2000 < 0.06
