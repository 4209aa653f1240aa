"""Which matrices are taken for a layer's feed-forward part, and where their elements lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fpcheck.feed_forward import Placed, feed_forward
from fpcheck.feed_forward_layouts import ROWS
from tests.layers import LAYERS, attention, opened, recorded, tower

Shapes = dict[str, tuple[int, ...]]
WIDTH, INNER = 16, 24


def found(folder: Path, shapes: Shapes, model_type: str = "llama") -> tuple[Placed, ...]:
    """The feed-forward matrices of the one layer of a checkpoint with these tensors in it."""
    inside = {f"model.layers.0.{name}": shape for name, shape in shapes.items()}
    with opened(folder, attention() | inside, {"model_type": model_type}) as checkpoint:
        return feed_forward(checkpoint, tower(checkpoint)).get(0, ())


def names(pieces: tuple[Placed, ...]) -> dict[str, str]:
    return {p.role.value: p.tensor.name.removeprefix("model.layers.0.") for p in pieces}


def gated(module: str, inner: int = INNER) -> Shapes:
    leaves = {"gate_proj": (inner, WIDTH), "up_proj": (inner, WIDTH), "down_proj": (WIDTH, inner)}
    return {f"{module}.{leaf}.weight": shape for leaf, shape in leaves.items()}


def elements(placed: Placed) -> np.ndarray:
    """The numbers of a matrix's elements, out of those of the tensor."""
    rows = np.arange(placed.rows)[:, None] * placed.row_step
    return placed.first + rows + np.arange(placed.columns) * placed.column_step


@pytest.mark.parametrize("name", LAYERS)
def test_recorded_layers_are_found_as_their_code_uses_them(name: str, tmp_path: Path) -> None:
    with recorded(tmp_path, name) as (checkpoint, own):
        result = feed_forward(checkpoint, own)

    for layer, pieces in LAYERS[name]["feed_forward"].items():
        assert [
            [p.role, p.tensor.name, p.rows, p.columns, p.first, p.row_step, p.column_step]
            for p in result[int(layer)]
        ] == pieces
    assert set(result) == set(own.layers)


@pytest.mark.parametrize("name", LAYERS)
def test_every_element_lies_within_its_tensor_and_in_one_role(name: str, tmp_path: Path) -> None:
    with recorded(tmp_path, name) as (checkpoint, own):
        for pieces in feed_forward(checkpoint, own).values():
            for tensor in {p.tensor.name: p.tensor for p in pieces}.values():
                numbers = [elements(p).ravel() for p in pieces if p.tensor.name == tensor.name]
                flat = np.concatenate(numbers)
                assert len(np.unique(flat)) == flat.size
                assert 0 <= flat.min() <= flat.max() < tensor.count


def test_the_rows_of_the_table_differ() -> None:
    assert len(set(ROWS)) == len(ROWS)


def test_a_tensor_of_gate_and_up_is_split_in_the_middle(tmp_path: Path) -> None:
    shapes = {"mlp.gate_up_proj.weight": (2 * INNER, WIDTH), "mlp.down_proj.weight": (WIDTH, INNER)}
    up, gate, down = found(tmp_path, shapes)

    stored = np.arange(2 * INNER * WIDTH).reshape(2 * INNER, WIDTH)
    assert (elements(gate) == stored[:INNER]).all()
    assert (elements(up) == stored[INNER:]).all()
    assert (down.rows, down.columns) == (WIDTH, INNER)


def test_gpt_oss_stores_gate_and_up_in_turn(tmp_path: Path) -> None:
    shapes = {
        "mlp.experts.gate_up_proj": (3, WIDTH, 2 * INNER),
        "mlp.experts.down_proj": (3, INNER, WIDTH),
    }
    up, gate, down = found(tmp_path, shapes, "gpt_oss")

    stored = np.arange(WIDTH * 2 * INNER).reshape(WIDTH, 2 * INNER)
    assert (elements(gate) == stored[:, ::2].T).all()
    assert (elements(up) == stored[:, 1::2].T).all()
    assert (elements(down) == np.arange(INNER * WIDTH).reshape(INNER, WIDTH).T).all()


@pytest.mark.parametrize("transposed", [False, True])
def test_a_stack_of_experts_is_turned_by_its_shape(tmp_path: Path, transposed: bool) -> None:
    up, down = (2 * INNER, WIDTH), (WIDTH, INNER)
    shapes = {
        "mlp.experts.gate_up_proj": (3, *(up[::-1] if transposed else up)),
        "mlp.experts.down_proj": (3, *(down[::-1] if transposed else down)),
    }

    assert [(p.rows, p.columns) for p in found(tmp_path, shapes)] == [
        (INNER, WIDTH),
        (INNER, WIDTH),
        (WIDTH, INNER),
    ]


def test_a_tensor_as_wide_as_it_is_high_is_turned_by_the_other(tmp_path: Path) -> None:
    """Twice as many inner channels as half the width: gate and up make a square."""
    inner = WIDTH // 2
    shapes = {
        "mlp.experts.gate_up_proj": (2, WIDTH, 2 * inner),
        "mlp.experts.down_proj": (2, inner, WIDTH),
    }
    up, _, _ = found(tmp_path, shapes)

    assert (up.row_step, up.column_step) == (1, WIDTH)


def test_the_first_expert_stands_for_a_mixture(tmp_path: Path) -> None:
    shapes = gated("mlp.experts.1") | gated("mlp.experts.0") | gated("mlp.shared_experts", 32)

    assert names(found(tmp_path, shapes))["ff.up"] == "mlp.experts.0.up_proj.weight"


def test_a_shared_expert_stands_where_there_is_no_other(tmp_path: Path) -> None:
    shapes = gated("mlp.shared_experts")

    assert names(found(tmp_path, shapes))["ff.down"] == "mlp.shared_experts.down_proj.weight"


def test_an_expert_goes_before_what_runs_beside_the_mixture(tmp_path: Path) -> None:
    shapes = gated("mlp", 64) | gated("experts.0")

    assert names(found(tmp_path, shapes))["ff.up"] == "experts.0.up_proj.weight"


def test_routers_and_adapters_are_no_feed_forward_part(tmp_path: Path) -> None:
    small = {"fc1.weight": (64, WIDTH), "fc2.weight": (WIDTH, 64)}
    shapes = {f"{m}.{leaf}": s for m in ("mlp.router", "adapter") for leaf, s in small.items()}

    assert found(tmp_path, shapes) == ()
    both = found(tmp_path / "both", shapes | gated("mlp"))
    assert names(both)["ff.up"] == "mlp.up_proj.weight"


def test_the_attentions_own_matrices_are_none(tmp_path: Path) -> None:
    """BERT calls the projection out of attention `output.dense`, as it does the other."""
    module = "bert.encoder.layer.0.attention"
    shapes: Shapes = {
        f"{module}.{leaf}.weight": (WIDTH, WIDTH)
        for leaf in ("self.query", "self.key", "self.value", "output.dense")
    }
    with opened(tmp_path, shapes, {"model_type": "bert"}) as checkpoint:
        assert feed_forward(checkpoint, tower(checkpoint, "bert.encoder.layer")) == {}


@pytest.mark.parametrize(
    "shapes",
    [
        {"mlp.up_proj.weight": (INNER, WIDTH)},
        {"mlp.up_proj.weight": (INNER, WIDTH), "mlp.down_proj.weight": (WIDTH, 20)},
        {"mlp.up_proj.weight": (INNER, 20), "mlp.down_proj.weight": (20, INNER)},
        {"mlp.up_proj.weight": (2 * INNER, WIDTH), "mlp.down_proj.weight": (WIDTH, INNER)},
        {"mlp.up_proj.weight": (INNER,), "mlp.down_proj.weight": (WIDTH, INNER)},
        {"mlp.up_proj.weight": (0, WIDTH), "mlp.down_proj.weight": (WIDTH, 0)},
    ],
    ids=["no way down", "not as many", "another width", "unknown halves", "a vector", "nothing"],
)
def test_what_does_not_fit_is_not_guessed(tmp_path: Path, shapes: Shapes) -> None:
    assert found(tmp_path, shapes) == ()


def test_layers_without_a_feed_forward_part_are_left_out(tmp_path: Path) -> None:
    second = {f"model.layers.1.{name}": shape for name, shape in gated("mlp").items()}
    shapes = attention() | attention("model.layers.1.self_attn") | second
    with opened(tmp_path, shapes) as checkpoint:
        assert set(feed_forward(checkpoint, tower(checkpoint))) == {1}


def test_llama_cpp_names_are_known(tmp_path: Path) -> None:
    shapes: Shapes = {
        f"blk.0.attn_{leaf}.weight": (WIDTH, WIDTH) for leaf in ("q", "k", "v", "output")
    } | {
        "blk.0.ffn_gate_exps.weight": (4, INNER, WIDTH),
        "blk.0.ffn_up_exps.weight": (4, INNER, WIDTH),
        "blk.0.ffn_down_exps.weight": (4, WIDTH, INNER),
        "blk.0.ffn_up_shexp.weight": (64, WIDTH),
        "blk.0.ffn_gate_shexp.weight": (64, WIDTH),
        "blk.0.ffn_down_shexp.weight": (WIDTH, 64),
    }
    with opened(tmp_path, shapes) as checkpoint:
        (pieces,) = feed_forward(checkpoint, tower(checkpoint, "blk")).values()
        assert {p.tensor.name.split(".")[2] for p in pieces} == {
            "ffn_gate_exps",
            "ffn_up_exps",
            "ffn_down_exps",
        }
