"""What two towers' weights say, and the level that it reaches."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpcheck.calibration import Calibration
from fpcheck.comparison.evidence import WeightEvidence
from fpcheck.comparison.levels import Level
from fpcheck.comparison.reached import level_of, needed, strength
from fpcheck.comparison.weights import Weights, weight_evidence, weights_of, with_mantel
from tests.weights import (
    ROLES,
    Arrays,
    changed_samples,
    other_basis,
    picked,
    random_arrays,
    stacked,
    tower_of,
    trained,
)

CALIBRATION = Calibration(control=0.35, controls=30, margin=0.1)
REFERENCE = random_arrays(1, 12)
RANDOM = np.random.default_rng(0)


def ready(arrays: Arrays) -> Weights:
    found = weights_of(tower_of(arrays, seed=1))
    assert found is not None
    return found


def compared(one: Arrays, other: Arrays = REFERENCE, looks: int = 1000) -> WeightEvidence:
    found = weight_evidence(ready(one), ready(other), CALIBRATION, looks)
    assert found is not None
    return found


def pruned(arrays: Arrays) -> Arrays:
    """Half of the weights are zero, the smallest."""

    def change(samples: np.ndarray) -> np.ndarray:
        least = np.median(np.abs(samples.astype(np.float64)))
        return np.where(np.abs(samples) < least, 0, samples)

    return changed_samples(arrays, change)


def quantised(arrays: Arrays) -> Arrays:
    return changed_samples(arrays, lambda s: np.rint(s.astype(np.float64) / 0.03) * 0.03)


def appended(arrays: Arrays) -> Arrays:
    """Rows were added: the common block alone compares."""
    random = np.random.default_rng(7)

    def change(samples: np.ndarray) -> np.ndarray:
        return np.concatenate([samples[:, :128], random.normal(0, 0.05, (len(samples), 128))], 1)

    wider = changed_samples(arrays, change)
    return replace(wider, shapes={r: s + (s > 0) * 8 for r, s in arrays.shapes.items()})


def attention_alone(arrays: Arrays) -> Arrays:
    """Another feed-forward part: a mixture that was made of it."""
    return replace(
        arrays,
        samples={r: arrays.samples[r] for r in "qkvo"},
        shapes={r: arrays.shapes[r] for r in "qkvo"},
    )


DERIVED: dict[str, Callable[[Arrays], Arrays]] = {
    "fine-tuned": lambda a: trained(a, 0.99),
    "trained long": lambda a: trained(a, 0.41),
    "pruned": pruned,
    "quantised": quantised,
    "rows appended": appended,
    "other feed-forward part": attention_alone,
    "rescaled": lambda a: changed_samples(a, lambda s: s.astype(np.float64) * 3.7),
    "layers removed": lambda a: picked(a, [0, 1, 2, 3, 8, 9, 10, 11]),
    "every second layer": lambda a: picked(a, range(0, 12, 2)),
    "up-scaled": lambda a: picked(a, [*range(9), *range(3, 12)]),
    "noise on every layer": lambda a: trained(a, 0.6),
    "forms lost": lambda a: replace(trained(a, 0.9), forms={}, anchors=np.zeros(64, np.bool_)),
}


@pytest.mark.parametrize("change", DERIVED)
def test_what_keeps_the_basis_is_derived(change: str) -> None:
    found = compared(DERIVED[change](REFERENCE))

    assert level_of(found) is Level.DERIVED
    assert found.kind == "samples"
    assert found.samples is not None
    assert found.samples.hits == found.samples.of
    assert found.samples.p_holm < 1e-9
    assert found.samples.p_best_holm <= found.samples.p_holm <= 1
    assert found.samples.p <= found.samples.p_holm
    assert found.samples.p_best <= found.samples.p
    assert not found.same
    assert found.alignment is not None
    assert strength(found) == pytest.approx(found.samples.rho, abs=0.12)
    assert np.abs(found.table).max() <= 1


@pytest.mark.parametrize("rho", [1.0, 0.98, 0.6])
def test_another_basis_is_derived_transformed(rho: float) -> None:
    one = other_basis(trained(REFERENCE, rho) if rho < 1 else REFERENCE)

    found = compared(one)

    assert level_of(found) is Level.TRANSFORMED
    assert found.kind == "forms"
    assert found.forms is not None
    assert found.forms.hits == found.forms.of == 12
    assert found.forms.qk == pytest.approx(rho, abs=0.05)
    shown = with_mantel(found, ready(one), ready(REFERENCE)).forms
    assert shown is not None
    assert shown.mantel is not None
    assert shown.mantel < 0.02
    assert found.samples is not None
    assert abs(found.samples.rho) < 0.1
    assert found.samples.p_best_holm > 1e-6
    assert strength(found) == pytest.approx(rho, abs=0.05)


def test_a_block_in_another_basis_and_another_order() -> None:
    found = compared(other_basis(picked(REFERENCE, [*range(8), *range(4, 12)])))

    assert level_of(found) is Level.TRANSFORMED
    assert found.alignment is not None
    assert found.alignment.sentence == "depth up-scaling: layers 0–7 ↔ 0–7, 8–15 ↔ 4–11"


def test_some_layers_are_partial() -> None:
    one = stacked(random_arrays(50, 5), picked(REFERENCE, range(3, 7)), random_arrays(51, 4))

    found = compared(one)

    assert level_of(found) is Level.PARTIAL
    assert found.samples is not None
    assert found.samples.hits == 4
    assert found.samples.p_best_holm < 1e-9
    assert found.samples.p_holm == 1
    assert found.alignment is not None
    assert found.alignment.sentence == "one block taken from elsewhere: layers 5–8 ↔ 3–6"


def test_one_layer_many_times_is_partial() -> None:
    found = compared(picked(REFERENCE, [4] * 12))

    assert level_of(found) is Level.PARTIAL
    assert found.samples is not None
    assert found.samples.hits == 1
    assert found.samples.p == 1  # it never comes to two thirds
    assert found.samples.p_best < 1e-9


def test_layers_that_forms_alone_show_are_partial_from_two_on() -> None:
    for count, level in ((1, Level.NONE), (2, Level.PARTIAL), (7, Level.PARTIAL)):
        one = other_basis(stacked(picked(REFERENCE, range(count)), random_arrays(60, 12 - count)))
        assert level_of(compared(one)) is level, count


def bfloat(samples: np.ndarray) -> np.ndarray:
    bits = samples.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & np.uint32(0xFFFF0000)).view(np.float32)


def test_the_same_weights_are_identical_in_any_dtype_and_with_layers_added() -> None:
    assert level_of(compared(REFERENCE)) is Level.IDENTICAL
    assert level_of(compared(changed_samples(REFERENCE, bfloat))) is Level.IDENTICAL
    assert level_of(compared(stacked(REFERENCE, random_arrays(3, 1)))) is Level.IDENTICAL


def test_less_than_all_of_it_is_not_identical() -> None:
    changed = changed_samples(REFERENCE, np.copy)
    changed.samples["ff.up"][11] = random_arrays(9, 1).samples["ff.up"][0]

    for one in (
        changed,
        picked(REFERENCE, range(11)),
        picked(REFERENCE, [1, 0, *range(2, 12)]),
        attention_alone(REFERENCE),
        pruned(REFERENCE),
    ):
        assert level_of(compared(one)) is Level.DERIVED


def test_what_a_reference_never_had_is_no_difference() -> None:
    assert level_of(compared(REFERENCE, attention_alone(REFERENCE))) is Level.IDENTICAL


def test_strangers_are_none() -> None:
    others = [ready(random_arrays(200 + n, 4 + n)) for n in range(15)]
    best, tails = 0.0, []
    for seed in range(14):
        one = ready(random_arrays(100 + seed, 6 + seed))
        for other in others:
            found = weight_evidence(one, other, CALIBRATION, 15)
            assert found is not None
            assert level_of(found) is Level.NONE
            assert found.alignment is None
            assert not found.same
            assert found.samples is not None
            assert found.forms is not None
            assert found.forms.hits == found.samples.hits == 0
            best = max(best, found.forms.best)
            tails.append(found.samples.p_best)
    assert best < 0.15
    assert min(tails) > 1e-4  # 210 pairs
    assert np.mean(np.array(tails) <= 0.05) < 0.12


def test_layers_without_forms_are_no_hits() -> None:
    """Of 0 nothing can be said, and least that it is beyond a threshold."""
    none = {name: np.zeros_like(form) for name, form in REFERENCE.forms.items()}
    empty = replace(random_arrays(5, 12), forms=none)

    for one, other in ((empty, REFERENCE), (random_arrays(6, 12), replace(REFERENCE, forms=none))):
        found = compared(one, other)
        assert level_of(found) is Level.NONE
        assert found.forms is None or (found.forms.hits, found.forms.mantel) == (0, None)


def test_forms_of_some_layers_are_counted_among_themselves() -> None:
    some = {name: form.copy() for name, form in REFERENCE.forms.items()}
    for form in some.values():
        form[[n for n in range(12) if n % 4]] = 0
    one = replace(other_basis(REFERENCE), forms=some)

    found = compared(one)

    assert found.forms is not None
    assert (found.forms.hits, found.forms.of) == (3, 3)
    assert level_of(found) is Level.TRANSFORMED


def test_towers_that_share_nothing_give_no_evidence() -> None:
    one = random_arrays(1, 4, roles=("q",), forms=False)
    other = random_arrays(1, 4, roles=("o",), forms=False)

    assert weight_evidence(ready(one), ready(other), CALIBRATION, 1) is None
    assert weights_of(replace(tower_of(one), arrays=None)) is None


def test_more_looks_need_more_evidence() -> None:
    weak = picked(REFERENCE, range(12))
    weak = changed_samples(weak, lambda s: np.where(RANDOM.random(s.shape) < 0.93, 0, s))

    few, many = compared(weak, looks=1), compared(weak, looks=10**30)

    assert few.samples is not None
    assert many.samples is not None
    assert few.samples.hits == 12
    assert many.samples.hits < 12
    assert few.samples.p_equal_depth == many.samples.p_equal_depth
    assert many.samples.p_holm >= few.samples.p_holm


def test_one_layer_is_a_model_too() -> None:
    one = picked(REFERENCE, [3])

    assert level_of(compared(trained(one, 0.9), one)) is Level.DERIVED
    assert level_of(compared(one, one)) is Level.IDENTICAL
    assert level_of(compared(one)) is Level.DERIVED
    assert level_of(compared(random_arrays(9, 1), one)) is Level.NONE


def test_two_thirds_are_two_thirds() -> None:
    for depth in range(1, 30):
        assert 3 * needed(depth, depth + 5) >= 2 * depth > 3 * (needed(depth + 5, depth) - 1)
    for count, level in ((7, Level.PARTIAL), (8, Level.DERIVED)):
        one = stacked(picked(REFERENCE, range(count)), random_arrays(70, 12 - count))
        assert level_of(compared(one)) is level


@given(st.integers(1, 14), st.integers(1, 14), st.integers(0, 10**6), st.data())
@settings(max_examples=25, deadline=None)
def test_any_mixture_of_layers_and_gaps_is_compared(
    depth: int, others: int, seed: int, data: st.DataObject
) -> None:
    random = np.random.default_rng(seed)
    other = random_arrays(seed, others)
    layers = data.draw(st.lists(st.integers(0, others - 1), min_size=depth, max_size=depth))
    one = trained(picked(other, layers), 0.9)
    for role in ROLES:
        gone = random.random(depth) < 0.3
        one.samples[role][gone] = 0
        one.shapes[role][gone] = 0
    for form in one.forms.values():
        form[random.random(depth) < 0.3] = 0

    found = compared(one, other)

    assert found.samples is None or 0 <= found.samples.hits <= found.samples.of
    if found.samples:
        for p in (found.samples.p, found.samples.p_best, found.samples.p_holm):
            assert 0 <= p <= 1
    if found.forms:
        assert 0 <= found.forms.hits <= found.forms.of <= min(depth, others)
    if found.alignment:
        assert [step.layer for step in found.alignment.path] == list(range(depth))
    assert isinstance(level_of(found), Level)
    assert not math.isnan(strength(found))
    assert compared(one, other) == found
