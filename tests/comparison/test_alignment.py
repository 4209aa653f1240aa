"""Paths through tables of layers, and the sentences that they are told in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from fpcheck.comparison.alignment import align

CASES: dict[str, tuple[Sequence[int | None], int, str]] = {
    "itself": (range(12), 12, "identical depth: layers 0–11 ↔ 0–11"),
    "one layer": ([0], 1, "identical depth: layers 0 ↔ 0"),
    "middle removed": (
        [*range(8), *range(12, 24)],
        24,
        "layers removed: layers 0–7 ↔ 0–7, 8–19 ↔ 12–23",
    ),
    "end removed": (range(16), 24, "layers removed: layers 0–15 ↔ 0–15"),
    "start removed": (range(6, 24), 24, "layers removed: layers 0–17 ↔ 6–23"),
    "every second": (range(0, 24, 2), 24, "every second layer: 0–11 ↔ 0–22 in steps of 2"),
    "the other second": (range(1, 24, 2), 24, "every second layer: 0–11 ↔ 1–23 in steps of 2"),
    "every third": (range(0, 24, 3), 24, "every third layer: 0–7 ↔ 0–21 in steps of 3"),
    "every sixth": (range(0, 36, 6), 36, "every 6th layer: 0–5 ↔ 0–30 in steps of 6"),
    "SOLAR": (
        [*range(24), *range(8, 32)],
        32,
        "depth up-scaling: layers 0–23 ↔ 0–23, 24–47 ↔ 8–31",
    ),
    "block repeated": (
        [*range(8), *range(4, 12)],
        12,
        "depth up-scaling: layers 0–7 ↔ 0–7, 8–15 ↔ 4–11",
    ),
    "blocks swapped": (
        [*range(6, 12), *range(6)],
        12,
        "layers moved: layers 0–5 ↔ 6–11, 6–11 ↔ 0–5",
    ),
    "two layers twice": (
        [0, 1, 2, 2, 3, 4, 5, 5, 6, 7],
        8,
        "depth up-scaling: layers 0–2 ↔ 0–2, 3–6 ↔ 2–5, 7–9 ↔ 5–7",
    ),
    "a block from elsewhere": (
        [*[None] * 6, *range(5, 10), *[None] * 13],
        24,
        "one block taken from elsewhere: layers 6–10 ↔ 5–9",
    ),
    "two blocks from elsewhere": (
        [0, 1, 2, *[None] * 18, 21, 22, 23],
        40,
        "some layers taken from elsewhere: layers 0–2 ↔ 0–2, 21–23 ↔ 21–23",
    ),
    "layers added": (
        [*range(8), *[None] * 10],
        8,
        "layers added: layers 0–7 ↔ 0–7",
    ),
    "a long gap without evidence": (
        [*range(4), *[None] * 6, *range(10, 24)],
        24,
        "identical depth: layers 0–3 ↔ 0–3, 10–23 ↔ 10–23",
    ),
    "a gap without evidence": (
        [*range(4), None, None, *range(6, 12)],
        12,
        "identical depth: layers 0–11 ↔ 0–11",
    ),
}


def table(truth: Sequence[int | None], references: int, digits: float = 9.0) -> np.ndarray:
    scores = np.zeros((len(truth), references))
    for layer, reference in enumerate(truth):
        if reference is not None:
            scores[layer, reference] = digits
    return scores


@pytest.mark.parametrize("digits", [3.0, 12.0, 280.0])
@pytest.mark.parametrize("case", CASES)
def test_what_was_done_is_said(case: str, digits: float) -> None:
    truth, references, expected = CASES[case]

    found = align(table(truth, references, digits), range(len(truth)), range(references))

    assert found.sentence == expected
    hits = {step.layer: step.reference for step in found.path if step.hit}
    assert hits == {i: j for i, j in enumerate(truth) if j is not None}
    assert found.hits == len(hits)


def test_layers_keep_their_numbers() -> None:
    """Those of a hybrid are not counted from 0, nor without gaps."""
    found = align(table([0, 1, 2, 3], 4), [3, 7, 11, 15], [5, 9, 13, 17])

    assert found.sentence == "identical depth: layers 3–15 ↔ 5–17"
    assert [(s.layer, s.reference) for s in found.path] == [(3, 5), (7, 9), (11, 13), (15, 17)]


def test_chance_hits_beside_the_path_do_not_move_it() -> None:
    random = np.random.default_rng(0)
    scores = table(range(24), 24)
    for _ in range(12):
        i, j = random.integers(24, size=2)
        scores[i, j] = max(scores[i, j], 1.0)
    for missing in (3, 4, 11, 20):
        scores[missing] = 0

    found = align(scores, range(24), range(24))

    assert found.sentence == "identical depth: layers 0–23 ↔ 0–23"
    assert found.hits == 20


def test_one_sure_layer_does_not_pay_for_wrong_ones() -> None:
    scores = table(range(12), 12, 4.0)
    scores[5, 0] = 1e6

    assert align(scores, range(12), range(12)).hits == 12


def test_nothing_is_said_of_nothing() -> None:
    found = align(np.zeros((3, 5)), range(3), range(5))

    assert (found.sentence, found.hits, len(found.path)) == ("", 0, 3)


values = st.floats(allow_nan=True, allow_infinity=True, width=64)
few = st.sampled_from([0.0, 0.0, 0.0, 1.0, 5.0, 20.0])


@given(
    st.one_of(
        arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=values),
        arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=few),
    )
)
@settings(max_examples=60, deadline=None)
def test_any_scores_have_a_path(scores: np.ndarray) -> None:
    depth, others = scores.shape
    layers, references = [3 * n for n in range(depth)], [5 + n for n in range(others)]

    found = align(scores.copy(), layers, references)

    assert [step.layer for step in found.path] == layers
    assert {step.reference for step in found.path} <= set(references)
    for step in found.path:
        score = scores[layers.index(step.layer), references.index(step.reference)]
        assert step.hit is bool(score > 0)
    assert bool(found.sentence) is bool(found.hits)
    assert align(scores.copy(), layers, references) == found


@given(st.lists(st.integers(0, 9), min_size=1, max_size=20))
@settings(max_examples=60, deadline=None)
def test_sure_layers_are_found_in_any_order(truth: list[int]) -> None:
    found = align(table(truth, 10), range(len(truth)), range(10))

    assert [step.reference for step in found.path] == truth
    assert found.hits == len(truth)
