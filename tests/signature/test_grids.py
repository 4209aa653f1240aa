"""Samples are the same elements of a role's matrix, in whatever layout it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpcheck.attention import Piece
from fpcheck.checkpoint import Tensor
from fpcheck.feed_forward import Placed
from fpcheck.layouts import Role
from fpcheck.packing import Pattern, over_matrix, whole
from fpcheck.signature import plan
from fpcheck.signature.arrays import Arrays
from fpcheck.signature.grids import Grid, grid_of, grids
from fpcheck.signature.kernels import UNIT
from fpcheck.signature.positions import COMMON, NONE, SAMPLES, positions
from tests.weights import (
    DOWN,
    GATE,
    LAYOUTS,
    MULTI_HEAD,
    ROLES,
    UP,
    Model,
    arrays_of,
    falcon,
    files,
    gpt2,
    internlm2,
    llama,
    measured,
    neox,
    on_layers,
    phi3,
    plain_samples,
    random_model,
    sharded,
)

GROUPED = random_model(1)
MULTI = random_model(2, groups=4)


def model_of(layout: str) -> Model:
    return MULTI if layout in MULTI_HEAD else GROUPED


def piece(pattern: Pattern, shape: tuple[int, ...], *, transposed: bool = False) -> Piece:
    """A tensor whose elements are their own numbers."""
    count = int(np.prod(shape))
    return Piece(Tensor("t", "F32", shape, "f", 0, 4 * count), pattern, transposed)


def numbers(grid: Grid) -> np.ndarray:
    """The number of every element of a grid's matrix."""
    return grid.rows[:, None] + grid.columns[None]


def found(given: Piece) -> dict[str, np.ndarray]:
    return {grid.role: numbers(grid) for grid in grids(given)}


def test_the_grids_of_every_packing_are_the_true_slices() -> None:
    stored = np.arange(24 * 10).reshape(24, 10)
    q, k, v = Role.Q, Role.K, Role.V
    contiguous = Pattern(1, ((q, 16), (k, 4), (v, 4)))
    per_head = Pattern(2, ((q, 4), (k, 4), (v, 4)))
    grouped = Pattern(2, ((q, 8), (k, 2), (v, 2)))
    whole_q = Pattern(1, ((q, 24),))

    def rows(pattern: Pattern) -> dict[str, np.ndarray]:
        return found(piece(over_matrix(pattern, (24, 10), transposed=False), (24, 10)))

    def columns(pattern: Pattern) -> dict[str, np.ndarray]:
        spread = over_matrix(pattern, (10, 24), transposed=True)
        return found(piece(spread, (10, 24), transposed=True))

    turned = np.arange(240).reshape(10, 24).T
    for table, of in ((stored, rows), (turned, columns)):
        assert np.array_equal(of(whole_q)["q"], table)
        assert np.array_equal(of(contiguous)["q"], table[:16])
        assert np.array_equal(of(contiguous)["k"], table[16:20])
        assert np.array_equal(of(contiguous)["v"], table[20:])
        by_head = table.reshape(2, 3, 4, 10)
        assert np.array_equal(of(per_head)["q"], by_head[:, 0].reshape(8, 10))
        assert np.array_equal(of(per_head)["k"], by_head[:, 1].reshape(8, 10))
        assert np.array_equal(of(per_head)["v"], by_head[:, 2].reshape(8, 10))
        by_group = table.reshape(2, 12, 10)
        assert np.array_equal(of(grouped)["q"], by_group[:, :8].reshape(16, 10))
        assert np.array_equal(of(grouped)["v"], by_group[:, 10:].reshape(4, 10))


def test_o_beside_another_branch_is_its_own_inputs() -> None:
    pattern = Pattern(6, ((Role.O, 4), (Role.BRANCH, 3)))

    (o,) = (grid for grid in grids(piece(pattern, (6, 7))) if grid.role == Role.O)

    assert np.array_equal(numbers(o), np.arange(42).reshape(6, 7)[:, :4])


def test_convolutions_of_one_are_matrices_and_other_shapes_are_not() -> None:
    assert np.array_equal(
        found(piece(whole(Role.Q, 15), (3, 5, 1)))["q"], np.arange(15).reshape(3, 5)
    )
    assert found(piece(whole(Role.Q, 30), (3, 5, 2))) == {}
    assert found(piece(whole(Role.NORM, 30), (30,))) == {}
    assert found(piece(whole(Role.Q_NORM, 30), (6, 5))) == {}


@given(st.integers(1, 9), st.integers(1, 9), st.booleans(), st.integers(1, 3), st.integers(0, 4))
def test_a_placed_matrix_is_what_its_steps_say(
    rows: int, columns: int, turned: bool, step: int, first: int
) -> None:
    steps = (1, rows) if turned else (columns * step, 1)
    tensor = Tensor("t", "F32", (999, 1), "f", 0, 4 * 999)

    grid = grid_of(Placed(tensor, UP, rows, columns, first, *steps))  # type: ignore[arg-type]

    assert grid.shape == (rows, columns)
    for i in range(rows):
        for j in range(columns):
            assert grid.rows[i] + grid.columns[j] == first + i * steps[0] + j * steps[1]


def agree(arrays: Arrays, model: Model, roles: tuple[str, ...]) -> None:
    for role in roles:
        expected = [plain_samples(role, layer[role]) for layer in model.layers]
        assert np.array_equal(arrays.samples[role], expected), role
        shapes = [layer[role].shape for layer in model.layers]
        assert arrays.shapes[role].tolist() == [list(shape) for shape in shapes], role


def roles_of(layout: str) -> tuple[str, ...]:
    ungated = layout in (*MULTI_HEAD, "falcon")
    return tuple(role for role in ROLES if role != GATE or not ungated)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_samples_are_those_of_the_matrices_in_every_layout(layout: str) -> None:
    arrays = arrays_of(model_of(layout), LAYOUTS[layout])

    assert set(arrays.samples) == set(roles_of(layout))
    agree(arrays, model_of(layout), roles_of(layout))
    assert np.array_equal(arrays.vectors["norm"][0, :16], half(model_of(layout).layers[0]["norm"]))


def half(vector: np.ndarray) -> np.ndarray:
    return vector[:16].astype(np.float16)


@pytest.mark.parametrize(
    "shape",
    [
        {"width": 8, "heads": 2, "groups": 1, "head": 4, "inner": 5},
        {"width": 40, "heads": 3, "groups": 3, "head": 10, "inner": 17},
        {"width": 70, "heads": 5, "groups": 5, "head": 6, "inner": 131},
    ],
)
def test_matrices_of_any_size(shape: Mapping[str, int]) -> None:
    model = random_model(3, layers=2, **shape)

    agree(measured_of(model), model, ROLES)
    if shape["heads"] == shape["groups"]:
        agree(measured_of(model, gpt2), model, roles_of("gpt2"))


def measured_of(model: Model, layout: Any = llama, **options: Any) -> Arrays:
    """The arrays, anchored or not: a narrow model is."""
    arrays = measured(files(*layout(model), model.tokens), **options).arrays
    assert arrays is not None
    return arrays


@pytest.mark.parametrize("unit", [250, UNIT])
@pytest.mark.parametrize("layout", ["llama", "internlm2", "gpt2"])
def test_units_that_cut_rows_change_no_sample(
    layout: str, unit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "UNIT", unit)
    monkeypatch.setattr(plan, "FAR", unit * 2)

    arrays = arrays_of(model_of(layout), LAYOUTS[layout], read_size=3001, workers=3)

    agree(arrays, model_of(layout), roles_of(layout))


def test_matrices_of_several_units() -> None:
    """Samples far apart: most of the feed-forward part is not read at all."""
    model = random_model(4, layers=1, width=64, inner=40_000)

    for layout in (llama, phi3):
        agree(arrays_of(model, layout), model, ROLES)
    turned = random_model(4, layers=1, width=64, groups=4, inner=40_000)
    agree(arrays_of(turned, gpt2), turned, roles_of("gpt2"))


def test_shards_and_the_order_of_tensors_change_nothing() -> None:
    content = llama(GROUPED)
    whole_file = arrays_of(GROUPED)
    for names in (sorted(content[0]), sorted(content[0], reverse=True)):
        found = measured(sharded(content, GROUPED, names)).arrays
        assert found is not None
        same(found, whole_file)


def same(one: Arrays, other: Arrays) -> None:
    for own, theirs in (
        (one.samples, other.samples),
        (one.shapes, other.shapes),
        (one.forms, other.forms),
        (one.vectors, other.vectors),
    ):
        assert own.keys() == theirs.keys()
        for role in own:
            assert np.array_equal(own[role], theirs[role], equal_nan=role in one.vectors), role


def test_stored_in_another_layout_the_same_weights_have_the_same_samples() -> None:
    expected = arrays_of(MULTI)
    for layout in (neox, gpt2, internlm2, phi3, falcon):
        found = arrays_of(MULTI, layout)
        for role in found.samples:
            assert np.array_equal(found.samples[role], expected.samples[role]), (layout, role)


def test_rows_and_columns_that_are_appended_leave_the_common_block() -> None:
    random = np.random.default_rng(0)

    def wider(_: int, layer: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        more = random.normal(size=(32, 64)).astype(np.float32)
        return {
            UP: np.concatenate([layer[UP], more]),
            GATE: np.concatenate([layer[GATE], more]),
            DOWN: np.concatenate([layer[DOWN], more.T], axis=1),
        }

    one, other = arrays_of(GROUPED), arrays_of(on_layers(GROUPED, wider))

    for role in (UP, GATE, DOWN):
        assert np.array_equal(one.samples[role][:, :COMMON], other.samples[role][:, :COMMON])
        assert not np.array_equal(one.samples[role][:, COMMON:], other.samples[role][:, COMMON:])
    assert np.array_equal(one.samples["q"], other.samples["q"])


def test_a_layer_without_a_role_has_no_samples_of_it() -> None:
    tensors, config = llama(GROUPED)
    for name in [n for n in tensors if n.startswith("model.layers.1.mlp")]:
        del tensors[name]

    found = measured(files(tensors, config, GROUPED.tokens)).arrays

    assert found is not None
    assert not found.samples[UP][1].any()
    assert found.shapes[UP][1].tolist() == [0, 0]
    assert found.samples[UP][[0, 2]].all()
    assert found.forms["qk"][1].any()


def test_weights_too_small_or_large_for_a_half_keep_their_signs() -> None:
    """Whoever multiplies k by 1e-8, and q by 1e8, must not lose his samples."""
    scales = {"q": 1e8, "k": 1e-12, "v": 1e-9, "o": 1e9}
    scaled = on_layers(
        GROUPED, lambda _, x: {r: (x[r] * s).astype(np.float32) for r, s in scales.items()}
    )

    one, other = arrays_of(GROUPED), arrays_of(scaled)

    for role in scales:
        assert np.isfinite(other.samples[role]).all()
        assert np.array_equal(np.sign(one.samples[role]), np.sign(other.samples[role]))


def test_zeros_are_missing_samples() -> None:
    pruned = on_layers(GROUPED, lambda _, x: {"q": np.where(np.abs(x["q"]) < 0.05, -0.0, x["q"])})
    pruned = on_layers(pruned, lambda _, x: {"q": x["q"].astype(np.float32)})

    own, theirs = (arrays_of(model).samples["q"] for model in (pruned, GROUPED))

    assert (own[own != 0] == theirs[own != 0]).all()
    assert 0.1 < (own == 0).mean() < 0.9


def test_there_are_as_many_samples_as_the_recipe_has() -> None:
    for role, samples in arrays_of(GROUPED).samples.items():
        rows = positions(role, *GROUPED.layers[0][role].shape)[:, 0]
        assert samples.shape == (3, SAMPLES)
        assert ((samples[0] != 0) == (rows != NONE)).all()
