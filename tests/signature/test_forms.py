"""Anchored forms are what their formulas say, and what no change of basis alters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpcheck.anchors import ANCHORS
from fpcheck.signature import kernels, plan
from fpcheck.signature.anchored import Left, whitened
from fpcheck.signature.arrays import FORM, QK, VO, Arrays
from fpcheck.signature.forms import form, order, packed
from fpcheck.signature.sketch import add, rectangles
from tests.weights import (
    DOWN,
    FILE,
    GATE,
    K_NORM,
    LAYOUTS,
    MULTI_HEAD,
    NORM,
    Q_NORM,
    ROLES,
    UP,
    Layer,
    Matrix,
    Model,
    arrays_of,
    correlation,
    files,
    gpt2,
    llama,
    measured,
    on_layers,
    own_part,
    plain_forms,
    plain_whitened,
    random_model,
    sharded,
)

GROUPED = random_model(1)
MULTI = random_model(2, groups=4)
NORMED = random_model(3, head_norms=True)


def agree(arrays: Arrays, expected: Mapping[str, list[Matrix]], least: float = 0.9999) -> None:
    for name in (QK, VO):
        assert len(arrays.forms[name]) == len(expected[name])
        for own, theirs in zip(arrays.forms[name], expected[name], strict=True):
            assert correlation(own, theirs.reshape(-1)[order()]) > least, name


# What they are.


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_forms_of_every_layout_are_their_formulas(layout: str) -> None:
    model = MULTI if layout in MULTI_HEAD else GROUPED

    agree(arrays_of(model, LAYOUTS[layout]), plain_forms(model))


@pytest.mark.parametrize(
    "shape",
    [
        {"width": 40, "heads": 6, "groups": 3, "head": 10, "inner": 17},
        {"width": 96, "heads": 8, "groups": 1, "head": 12, "inner": 20},
        {"width": 130, "heads": 2, "groups": 2, "head": 70, "inner": 20},
    ],
)
def test_models_of_any_size(shape: Mapping[str, int]) -> None:
    model = random_model(4, layers=2, **shape)

    agree(arrays_of(model), plain_forms(model))


def test_gains_of_the_heads_norms_are_folded_in() -> None:
    bare = on_layers(
        NORMED, lambda _, x: {norm: np.ones_like(x[norm]) for norm in (Q_NORM, K_NORM)}
    )

    agree(arrays_of(NORMED), plain_forms(NORMED))
    assert correlation(arrays_of(bare).forms[QK], arrays_of(NORMED).forms[QK]) < 0.999


def test_gains_less_one_are_folded_in_as_they_are_meant() -> None:
    """Gemma's norms multiply by 1 + γ."""

    def less_one(model: Model) -> Any:
        tensors, config = llama(on_layers(model, lambda _, x: {NORM: x[NORM] - 1}))
        return tensors, {**config, "model_type": "gemma"}

    agree(arrays_of(GROUPED, less_one), plain_forms(GROUPED))


def test_a_norm_that_was_folded_away_leaves_the_forms() -> None:
    def folded(_: int, x: Layer) -> dict[str, Matrix]:
        return {**{r: x[r] * x[NORM] for r in "qkv"}, NORM: np.ones_like(x[NORM])}

    agree(arrays_of(on_layers(GROUPED, folded)), plain_forms(GROUPED))


@pytest.mark.parametrize("layout", ["llama", "gpt2", "phi3", "internlm2", "neox"])
@pytest.mark.parametrize("unit", [250, 4096])
def test_units_that_cut_rows(layout: str, unit: int) -> None:
    model = MULTI if layout in MULTI_HEAD else GROUPED

    with patch.object(plan, "UNIT", unit):
        agree(arrays_of(model, LAYOUTS[layout], read_size=5000), plain_forms(model))


@given(
    read_size=st.integers(1, 100_000),
    batch=st.integers(1, 100_000),
    workers=st.integers(1, 4),
    turned=st.booleans(),
    reverse=st.booleans(),
)
@settings(max_examples=5, deadline=None)
def test_reading_otherwise_gives_the_same_bits(
    read_size: int, batch: int, workers: int, turned: bool, reverse: bool
) -> None:
    layout = gpt2 if turned else llama
    with patch.object(plan, "UNIT", 500):
        expected = arrays_of(SMALL, layout)
        with patch.object(plan, "BATCH", batch):
            content = layout(SMALL)
            names = sorted(content[0], reverse=reverse)
            split = sharded(content, SMALL, names)
            found = measured(split, read_size=read_size, workers=workers).arrays
    assert found is not None
    for name in (QK, VO):
        assert np.array_equal(found.forms[name], expected.forms[name])
    for role, samples in expected.samples.items():
        assert np.array_equal(found.samples[role], samples)


SMALL = random_model(5, layers=5, width=36, heads=2, groups=2, head=18, inner=20)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 80), st.integers(1, 80), st.booleans())
def test_rectangles_are_the_matrix(
    rows: int, columns: int, first: int, count: int, by_rows: bool
) -> None:
    matrix = np.random.default_rng(0).normal(size=(rows, columns)).astype(np.float32)
    left = np.eye(rows if by_rows else columns, dtype=np.float32)
    cuts = sorted({0, min(first, matrix.size), min(first + count, matrix.size), matrix.size})
    total = np.zeros((len(left), columns if by_rows else rows), np.float32)

    for start, stop in pairwise(cuts):
        for part in rectangles(matrix.reshape(-1)[start:stop], start, columns):
            add(total, Left(left, 0 if by_rows else 1), part)

    assert np.array_equal(total, matrix if by_rows else matrix.T)


def test_coded_matrices_have_the_forms_of_their_values() -> None:
    """FP8 with a scale for each block: values are decoded before they are multiplied."""
    import json

    from tests.checkpoints import framed
    from tests.signature.samples import stored, worths

    tensors, config = llama(GROUPED)
    content: dict[str, tuple[str, np.ndarray]] = {}
    values: dict[str, np.ndarray] = {}
    for name, tensor in tensors.items():
        if tensor.ndim == 1 or "embed" in name:
            content[name] = "F32", tensor
            continue
        scale = np.abs(tensor).max() / 448
        codes = stored(tensor.astype(np.float64) / scale, "F8_E4M3")
        content[name] = "F8_E4M3", codes
        content[f"{name}_scale_inv"] = "F32", np.full((1, 1), scale, np.float32)
        values[name] = worths(codes, "F8_E4M3") * np.float32(scale)
    header, data = {}, b""
    for name, (dtype, array) in content.items():
        ends = [len(data), len(data) + array.nbytes]
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": ends}
        data += array.tobytes()
    config["quantization_config"] = {"quant_method": "fp8", "weight_block_size": [128, 128]}
    given = files({}, config, GROUPED.tokens)
    given[FILE] = framed(json.dumps(header).encode(), data)
    names = {role: f"self_attn.{role}_proj" for role in "qkvo"}
    names |= {GATE: "mlp.gate_proj", UP: "mlp.up_proj", DOWN: "mlp.down_proj"}
    meant = on_layers(
        GROUPED,
        lambda n, _: {r: values[f"model.layers.{n}.{name}.weight"] for r, name in names.items()},
    )

    found = measured(given).arrays

    assert found is not None
    agree(found, plain_forms(meant))
    expected = arrays_of(on_layers(meant, lambda _, x: {r: x[r].astype(np.float32) for r in ROLES}))
    for role in ROLES:
        assert np.array_equal(found.samples[role], expected.samples[role]), role
    assert correlation(found.forms[QK], arrays_of(GROUPED).forms[QK]) > 0.99


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_products_may_have_any_scale(scale: float) -> None:
    moved = singles(on_layers(GROUPED, lambda _, x: {r: x[r] * scale for r in "qo"}))

    agree(arrays_of(moved), plain_forms(GROUPED))


def test_products_that_overflow_are_no_forms() -> None:
    large = {"q": 1e30, "k": 1e30, NORM: 1e10, "v": 1e-10}
    huge = on_layers(GROUPED, lambda n, x: {r: x[r] * c for r, c in large.items()} if n else {})

    found = arrays_of(singles(huge))

    assert found.forms[QK][0].any()
    assert not found.forms[QK][1:].any()
    assert found.forms[VO].any(axis=1).all()


# What leaves them as they are.

Change = Callable[[Model], Model]
RANDOM = np.random.default_rng(77)


def rotation(size: int) -> Matrix:
    """A random orthogonal matrix."""
    turn, upper = np.linalg.qr(RANDOM.normal(size=(size, size)))
    return turn * np.sign(np.diag(upper))  # without the signs the diagonal would be negative


def by_heads(change: Callable[[Matrix], Matrix], model: Model, matrix: Matrix) -> Matrix:
    """A matrix of some heads' rows, changed head by head."""
    return change(matrix.reshape(-1, model.head, matrix.shape[1])).reshape(matrix.shape)


def hidden_units(model: Model) -> Model:
    """The units of the feed-forward part in another order."""

    def change(_: int, x: Layer) -> dict[str, Matrix]:
        units = RANDOM.permutation(len(x[UP]))
        return {GATE: x[GATE][units], UP: x[UP][units], DOWN: x[DOWN][:, units]}

    return on_layers(model, change)


def residual_rotation(model: Model) -> Model:
    """The residual stream in another basis, with the norms' gains folded away first."""
    turn = rotation(model.width)

    def change(_: int, x: Layer) -> dict[str, Matrix]:
        into = {role: (x[role] * x[NORM]) @ turn.T for role in "qkv"}
        into |= {role: x[role] @ turn.T for role in (GATE, UP)}
        return {**into, "o": turn @ x["o"], DOWN: turn @ x[DOWN], NORM: np.ones_like(x[NORM])}

    return replace(on_layers(model, change), embedding=model.embedding @ turn.T)


def residual_permutation(model: Model) -> Model:
    """The channels of the residual stream in another order, the norms' gains too."""
    at = RANDOM.permutation(model.width)

    def change(_: int, x: Layer) -> dict[str, Matrix]:
        into = {role: x[role][:, at] for role in ("q", "k", "v", GATE, UP)}
        return {**into, "o": x["o"][at], DOWN: x[DOWN][at], NORM: x[NORM][at]}

    return replace(on_layers(model, change), embedding=model.embedding[:, at])


def heads(model: Model) -> Model:
    """Groups of heads, and the heads of a group, in another order."""

    def change(_: int, x: Layer) -> dict[str, Matrix]:
        groups = np.arange(model.groups)[::-1]
        each = model.heads // model.groups
        queries = np.concatenate([g * each + np.arange(each)[::-1] for g in groups])
        o = by_heads(lambda rows: rows[queries], model, x["o"].T).T
        q = by_heads(lambda rows: rows[queries], model, x["q"])
        return {"q": q, "o": o} | {
            role: by_heads(lambda rows: rows[groups], model, x[role]) for role in "kv"
        }

    return on_layers(model, change)


def inside_heads(model: Model) -> Model:
    """The channels of each key's head in another basis, and those of the queries with them."""

    def change(_: int, x: Layer) -> dict[str, Matrix]:
        each = model.heads // model.groups
        qk, vo = (np.stack([rotation(model.head) for _ in range(model.groups)]) for _ in "ab")
        many = [turns.repeat(each, axis=0) for turns in (qk, vo)]
        return {
            "q": by_heads(lambda rows: many[0] @ rows, model, x["q"]),
            "k": by_heads(lambda rows: qk @ rows, model, x["k"]),
            "v": by_heads(lambda rows: vo @ rows, model, x["v"]),
            "o": by_heads(lambda rows: many[1] @ rows, model, x["o"].T).T,
        }

    return on_layers(model, change)


def reciprocal_scales(model: Model) -> Model:
    """q·c and k/c, v·c and o/c."""
    return on_layers(
        model,
        lambda n, x: {
            "q": x["q"] * 7,
            "k": x["k"] / 7,
            "v": x["v"] / (n + 3),
            "o": x["o"] * (n + 3),
        },
    )


def norms_rescaled(model: Model) -> Model:
    """A part of the norm's gains in the projections."""

    def change(_: int, x: Layer) -> dict[str, Matrix]:
        share = RANDOM.uniform(0.2, 5, model.width)
        return {**{role: x[role] * share for role in "qkv"}, NORM: x[NORM] / share}

    return on_layers(model, change)


def vocabulary(model: Model) -> Model:
    """Tokens in another order, and further ones."""
    at = RANDOM.permutation(len(model.tokens))
    more = RANDOM.normal(size=(5, model.width))
    return replace(
        model,
        tokens=(*(model.tokens[i] for i in at), *(f"new{i}" for i in range(5))),
        embedding=np.concatenate([model.embedding[at], more]),
    )


def embedding_scaled(model: Model) -> Model:
    """Gemma multiplies them in the model, others do so in the file."""
    return replace(model, embedding=model.embedding * 12.5)


CHANGES: tuple[Change, ...] = (
    hidden_units,
    residual_permutation,
    residual_rotation,
    heads,
    inside_heads,
    reciprocal_scales,
    norms_rescaled,
    vocabulary,
    embedding_scaled,
)
# What leaves the samples of some roles where they are.
UNTOUCHED = {hidden_units, reciprocal_scales, norms_rescaled, vocabulary, embedding_scaled}


def singles(model: Model) -> Model:
    """As a file stores it."""
    own = on_layers(model, lambda _, x: {r: m.astype(np.float32) for r, m in x.items()})
    return replace(own, embedding=own.embedding.astype(np.float32))


def unlike(one: Arrays, other: Arrays, roles: str) -> None:
    for role in roles:
        own, theirs = (arrays.samples[role].astype(np.float64) for arrays in (one, other))
        for layer in range(len(own)):
            assert abs(correlation(own[layer], theirs[layer])) < 0.35
        agreements = (np.sign(own) == np.sign(theirs)).sum()
        assert abs(2 * agreements - own.size) < 4 * own.size**0.5


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_preserves_the_function_preserves_the_forms(change: Change) -> None:
    one, other = arrays_of(GROUPED), arrays_of(singles(change(GROUPED)))

    for name in (QK, VO):
        for own, theirs in zip(one.forms[name], other.forms[name], strict=True):
            assert correlation(own, theirs) > 0.9995
    if change not in UNTOUCHED:
        unlike(one, other, "qv" if change in (heads, inside_heads) else "qkvo")


def test_all_of_it_at_once() -> None:
    changed = GROUPED
    for change in CHANGES:
        changed = change(changed)
    one, other = arrays_of(GROUPED), arrays_of(singles(changed))

    for name in (QK, VO):
        for own, theirs in zip(one.forms[name], other.forms[name], strict=True):
            assert correlation(own, theirs) > 0.999
    unlike(one, other, "qkvo")


def test_other_models_and_other_layers_have_other_forms() -> None:
    one, other = arrays_of(GROUPED), arrays_of(random_model(99))

    for name in (QK, VO):
        for own in range(3):
            for theirs in range(3):
                assert abs(correlation(one.forms[name][own], other.forms[name][theirs])) < 0.2
                if own != theirs:
                    found = correlation(one.forms[name][own], one.forms[name][theirs])
                    assert abs(found) < 0.2


# The parts.


def test_whitening() -> None:
    rows = np.random.default_rng(0).normal(3, 1, (64, 40)) @ np.diag(np.linspace(0.01, 4, 40))
    turn = rotation(40)

    found = whitened(rows)

    assert np.allclose(found, plain_whitened(rows), atol=1e-9)
    assert np.allclose(whitened(rows @ turn), found @ turn, atol=1e-9)
    assert np.allclose(whitened(rows * 100 + 5), found, atol=1e-6)
    assert np.linalg.norm(found, 2) <= 1 + 1e-9


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan, np.inf])
def test_embeddings_that_say_nothing_are_refused(value: float) -> None:
    rows = np.random.default_rng(0).normal(size=(64, 8)) if abs(value) > 1 else np.ones((64, 8))
    rows[3, 3] = value if value else 1.0

    if value == 0.0 or value == 1.0:
        rows[:] = value
    with pytest.raises(ValueError, match="the same, or not finite"):
        whitened(rows)


@given(st.integers(40, 64), st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_packed_forms_are_what_is_their_own_over_what_is_known(count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    known = np.zeros(64, np.bool_)
    known[random.permutation(64)[:count]] = True
    raw = random.normal(5, 1, (64, 64))

    found = np.empty(FORM)
    found[order()] = packed(raw, known)
    square = found.reshape(64, 64)

    assert not square[~known].any()
    assert not square[:, ~known].any()
    names = [anchor for anchor, flag in zip(ANCHORS, known, strict=True) if flag]
    expected = own_part(raw[np.ix_(known, known)], names)
    assert correlation(square[np.ix_(known, known)], expected) > 0.999


def test_one_outlier_leaves_the_others_their_digits() -> None:
    raw = np.random.default_rng(0).normal(size=(64, 64))
    raw[3, 4] = 1e6
    found = packed(raw, np.ones(64, np.bool_))

    assert np.abs(found).max() == 127
    constant = packed(np.ones((64, 64)), np.ones(64, np.bool_))
    assert not constant.any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_forms_that_are_not_finite_say_nothing(value: float) -> None:
    raw = np.random.default_rng(0).normal(size=(64, 64))
    raw[7, 7] = value

    assert not packed(raw, np.ones(64, np.bool_)).any()


def test_entries_are_in_one_order_for_all() -> None:
    assert sorted(order().tolist()) == list(range(FORM))
    assert order()[:8].tolist() == [1318, 4033, 2904, 856, 1218, 2201, 2465, 237]
    rows, columns = np.divmod(order()[:384], 64)
    assert len(set(rows)) > 60
    assert len(set(columns)) > 60


ORDER = ["0", "0", "0", "0", "0", "0", "0", "0"]


@pytest.mark.parametrize(
    ("wide", "narrow", "head"),
    [(24, 10, 4), (24, 8, None), (24, 8, 3), (24, 0, 4), (8, 24, 4), (20, 8, 8)],
)
def test_channels_that_do_not_divide_have_no_form(wide: int, narrow: int, head: int | None) -> None:
    assert form(np.ones((64, wide)), np.ones((64, narrow)), head) is None


def test_heads_that_share_one_are_added_up() -> None:
    random = np.random.default_rng(0)
    q, k = random.normal(size=(64, 24)), random.normal(size=(64, 8))
    expected = sum(
        q[:, 4 * h : 4 * h + 4] @ k[:, 4 * (h // 3) : 4 * (h // 3) + 4].T for h in range(6)
    )

    found = form(q, k, 4)

    assert found is not None
    assert np.allclose(found, expected)


# Where there is none.


def fault(content: Mapping[str, bytes]) -> str:
    from fpcheck.signature.measure import measure
    from fpcheck.signature.probes import doubtful, unanchored
    from tests.memory_source import MemorySource
    from tests.weights import opened

    checkpoint, attention, probes = opened(MemorySource(content))
    (tower,) = measure(checkpoint, attention, probes)
    assert tower.arrays is not None
    assert tower.arrays.samples
    assert not tower.arrays.has_forms
    assert not tower.arrays.anchors.any()
    (said,) = unanchored(probes) + doubtful(probes, attention)
    return said


def test_without_a_tokenizer_there_are_samples_and_no_forms() -> None:
    given = files(*llama(GROUPED), GROUPED.tokens)
    del given["vocab.json"]

    assert "no tokenizer" in fault(given)


def test_too_few_anchors_give_no_forms() -> None:
    few = GROUPED.tokens[:32]

    assert "vocab.json has 31 of the 64 anchors, 32 are needed" in fault(
        files(*llama(GROUPED), few)
    )


def test_some_anchors_may_be_missing() -> None:
    tokens = GROUPED.tokens[:41]

    found = measured(files(*llama(GROUPED), tokens)).arrays

    assert found is not None
    assert found.anchors.sum() == 40
    flags = np.outer(found.anchors, found.anchors).reshape(-1)[order()]
    assert not found.forms[QK][:, ~flags].any()
    assert found.forms[QK][:, flags].any(axis=1).all()


def test_ids_beyond_the_embedding_are_unknown() -> None:
    cut = replace(GROUPED, embedding=GROUPED.embedding[:20])

    assert "19 of the 64 anchors" in fault(files(*llama(cut), GROUPED.tokens))


def test_an_embedding_of_one_vector_gives_no_forms() -> None:
    flat = replace(GROUPED, embedding=np.ones_like(GROUPED.embedding))

    assert "all the same, or not finite" in fault(files(*llama(flat), GROUPED.tokens))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_embedding_that_is_not_finite_gives_no_forms(value: float) -> None:
    table = GROUPED.embedding.copy()
    table[5, 5] = value

    said = fault(files(*llama(replace(GROUPED, embedding=table)), GROUPED.tokens))

    assert "all the same, or not finite" in said


def test_heads_that_nobody_counts_give_no_forms() -> None:
    tensors, config = llama(GROUPED)
    del config["head_dim"], config["num_attention_heads"], config["num_key_value_heads"]

    found = measured(files(tensors, config, GROUPED.tokens)).arrays

    assert found is not None
    assert not found.has_forms


def test_the_anchors_are_as_many_as_a_form_has_rows() -> None:
    assert len(ANCHORS) ** 2 == FORM
    assert kernels.UNIT % 2 == 0
