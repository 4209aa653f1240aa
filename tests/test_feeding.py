"""Which norms' gains belong to an attention block, and how they are stored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fpcheck.feeding import feeding_gains, head_gains
from tests.layers import LAYERS, attention, opened, recorded, tower

Shapes = dict[str, tuple[int, ...]]
INPUT = "model.layers.0.input_layernorm.weight"


@pytest.mark.parametrize("name", LAYERS)
def test_recorded_layers_are_fed_as_their_code_feeds_them(name: str, tmp_path: Path) -> None:
    with recorded(tmp_path, name) as (checkpoint, own):
        gains = feeding_gains(checkpoint, own)

    assert {str(layer): [gain.tensor.name, gain.offset] for layer, gain in gains.items()} == LAYERS[
        name
    ]["feeding"]


@pytest.mark.parametrize("name", LAYERS)
def test_recorded_norms_of_heads_are_found(name: str, tmp_path: Path) -> None:
    with recorded(tmp_path, name) as (checkpoint, own):
        gains = head_gains(checkpoint, own)

    q, k = gains[max(own.layers)]
    assert [one and one.tensor.name for one in (q, k)] == LAYERS[name]["heads"]


def fed_by(folder: Path, shapes: Shapes, **config: object) -> list[str]:
    """The gains that feed the one layer of a checkpoint, with what is added to each."""
    with opened(folder, attention() | shapes, {"model_type": "llama"} | config) as checkpoint:
        gains = feeding_gains(checkpoint, tower(checkpoint))
    return [f"{gain.tensor.name} + {gain.offset:g}" for gain in gains.values()]


@pytest.mark.parametrize(
    ("model_type", "offset"),
    [("gemma", 1), ("gemma2", 1), ("vaultgemma", 1), ("nemotron", 1), ("gemma3n_text", 0)],
)
def test_some_architectures_store_a_gain_less_one(
    tmp_path: Path, model_type: str, offset: int
) -> None:
    config = {"model_type": model_type, "num_kv_shared_layers": 0}

    assert fed_by(tmp_path, {INPUT: (16,)}, **config) == [f"{INPUT} + {offset}"]


def test_llama_cpp_stores_every_gain_as_it_is(tmp_path: Path) -> None:
    shapes = attention() | {INPUT: (16,)}
    with opened(tmp_path, shapes, {"model_type": "gemma2"}) as checkpoint:
        own = tower(checkpoint)
        converted = replace(checkpoint, shards=("model.gguf",))

        assert feeding_gains(checkpoint, own)[0].offset == 1
        assert feeding_gains(converted, own)[0].offset == 0


def test_the_text_of_a_composite_model_decides(tmp_path: Path) -> None:
    """A vision tower of the same checkpoint has gains of another kind."""
    shapes = attention() | {INPUT: (16,)}
    shapes |= {f"vision_tower.{name}": shape for name, shape in shapes.items()}
    config = {
        "model_type": "paligemma",
        "text_config": {"model_type": "gemma", "num_hidden_layers": 1},
    }
    with opened(tmp_path, shapes, config) as checkpoint:
        text = feeding_gains(checkpoint, tower(checkpoint))
        vision = feeding_gains(checkpoint, tower(checkpoint, "vision_tower.model.layers"))

    assert (text[0].offset, vision[0].offset) == (1, 0)


def test_a_norm_of_another_length_feeds_nothing(tmp_path: Path) -> None:
    assert fed_by(tmp_path, {INPUT: (8,)}) == []


def test_a_flag_that_moves_the_norms_leaves_none(tmp_path: Path) -> None:
    """OPT-350m: not what the names of its kin mean; nothing is said rather than the wrong thing."""
    norms = {"model.layers.0.self_attn_layer_norm.weight": (16,)}

    assert len(fed_by(tmp_path / "a", norms, model_type="opt")) == 1
    assert fed_by(tmp_path / "b", norms, model_type="opt", do_layer_norm_before=False) == []


def test_without_a_norm_before_attention_there_is_no_gain(tmp_path: Path) -> None:
    """OLMo 2: both norms of a layer follow its parts."""
    norms: Shapes = {
        f"model.layers.0.post_{part}_layernorm.weight": (16,) for part in ("attention", "mlp")
    }

    assert fed_by(tmp_path, norms) == []


def test_old_names_of_gains_are_known(tmp_path: Path) -> None:
    module = "bert.encoder.layer.{}.attention"
    shapes: Shapes = {"bert.embeddings.LayerNorm.gamma": (16,)}
    for layer in range(2):
        here = module.format(layer)
        shapes |= {f"{here}.self.{leaf}.weight": (16, 16) for leaf in ("query", "key", "value")}
        shapes |= {f"{here}.output.dense.weight": (16, 16), f"{here}.output.LayerNorm.gamma": (16,)}
        shapes |= {f"bert.encoder.layer.{layer}.output.LayerNorm.gamma": (16,)}
    with opened(tmp_path, shapes, {"model_type": "bert"}) as checkpoint:
        gains = feeding_gains(checkpoint, tower(checkpoint, "bert.encoder.layer"))

    assert [gain.tensor.name for gain in gains.values()] == [
        "bert.embeddings.LayerNorm.gamma",
        "bert.encoder.layer.0.output.LayerNorm.gamma",
    ]


def test_each_of_two_attentions_a_layer_has_its_own_norm(tmp_path: Path) -> None:
    """LongCat: `self_attn.0` is fed by `input_layernorm.0`."""
    shapes: Shapes = {}
    for layer in range(2):
        for number in range(2):
            shapes |= attention(f"model.layers.{layer}.self_attn.{number}")
            shapes[f"model.layers.{layer}.input_layernorm.{number}.weight"] = (16,)
    with opened(tmp_path, shapes) as checkpoint:
        second = tower(checkpoint, "model.layers (self_attn.1)")
        gains = feeding_gains(checkpoint, second)

    assert [gain.tensor.name for gain in gains.values()] == [
        "model.layers.0.input_layernorm.1.weight",
        "model.layers.1.input_layernorm.1.weight",
    ]


@pytest.mark.parametrize("shape", [(4,), (16,), (4, 4)], ids=["a head", "all", "each head"])
def test_norms_of_heads_may_be_of_one_or_of_all(tmp_path: Path, shape: tuple[int, ...]) -> None:
    norms = {f"model.layers.0.self_attn.{role}_norm.weight": shape for role in "qk"}
    with opened(tmp_path, attention() | norms, {"model_type": "gemma3_text"}) as checkpoint:
        ((q, k),) = head_gains(checkpoint, tower(checkpoint)).values()

    assert q and k
    assert (q.tensor.shape, q.offset, k.offset) == (shape, 1, 1)


def test_norms_that_divide_no_head_are_none(tmp_path: Path) -> None:
    norms = {f"model.layers.0.self_attn.{role}_norm.weight": (5,) for role in "qk"}
    with opened(tmp_path, attention() | norms) as checkpoint:
        assert head_gains(checkpoint, tower(checkpoint)) == {0: (None, None)}
