"""Tensors and settings that no loader reads cannot bend what is measured of those that it does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpcheck.attention import find_attention
from fpcheck.checkpoint import read_checkpoint
from fpcheck.coverage import coverage
from fpcheck.layouts import MAX_TOWERS, Kind, Role
from fpcheck.signature import TowerProfile
from fpcheck.signature.measure import measure
from fpcheck.source.local import LocalSource
from tests.checkpoints import llama, write

LLAMA = {"model_type": "llama", "num_hidden_layers": 10}
Tensors = dict[str, np.ndarray]


def towers(folder: Path, tensors: Tensors, config: dict[str, Any]) -> dict[str, TowerProfile]:
    write(folder, tensors, config)
    with LocalSource(str(folder)) as source:
        checkpoint = read_checkpoint(source)
        return {t.name: t for t in measure(checkpoint, find_attention(checkpoint))}


def t5(seed: int = 0, sublayer: int = 0) -> Tensors:
    """A little T5's encoder, its attention in one of the block's sublayers."""
    return {
        name.replace("model.layers", "encoder.block")
        .replace("self_attn", f"layer.{sublayer}.SelfAttention")
        .replace("_proj", ""): tensor
        for name, tensor in llama(seed=seed).items()
        if "self_attn" in name
    }


def other(name: str, value: str) -> Tensors:
    """Another Llama's attention, renamed."""
    tensors = llama(seed=1)
    return {n.replace(name, value): t for n, t in tensors.items() if "self_attn" in n}


DECOYS: dict[str, Tensors] = {
    "a second module": other("self_attn", "extra"),
    "a second module, numbered": other("self_attn", "self_attn.1"),
    "layers beyond the config's": other("layers.", "layers.1"),
    "another stack": other("model.layers", "model.more"),
    "what recurrent blocks have": {
        f"model.layers.{n}.self_attn.A_log": np.ones(4, "<f4") for n in range(0, 10, 2)
    },
}
SETTINGS: dict[str, dict[str, Any]] = {
    "shared keys": {"num_kv_shared_layers": 8, "layer_types": ["full_attention"] * 10},
    "shared latents": {"kv_source_layers": [0] * 10},
    "another count": {"num_layers_per_stack": 5, "n_layer": 3},
    "keys that are values": {"attention_k_eq_v": True},
    "gates": {"attn_output_gate": True, "linear_num_key_heads": 2},
}


@pytest.mark.parametrize("decoy", DECOYS)
def test_more_tensors_change_nothing(decoy: str, tmp_path: Path) -> None:
    alone = towers(tmp_path / "alone", llama(), LLAMA)["model.layers"]
    beside = towers(tmp_path / "beside", llama() | DECOYS[decoy], LLAMA)

    assert [t.roles for t in beside.values() if t.kind is Kind.SELF].count(alone.roles) == 1


@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_that_the_architecture_ignores_change_nothing(
    setting: str, tmp_path: Path
) -> None:
    alone = towers(tmp_path / "alone", llama(), LLAMA)["model.layers"]
    beside = towers(tmp_path / "beside", llama(), LLAMA | SETTINGS[setting])

    assert beside["model.layers"].roles == alone.roles


def test_a_second_sublayer_is_a_tower_of_its_own(tmp_path: Path) -> None:
    config = {"model_type": "t5", "num_layers": 10}
    alone = towers(tmp_path / "alone", t5(), config)["encoder.block"]
    beside = towers(tmp_path / "beside", t5() | t5(seed=1, sublayer=1), config)

    assert [t.roles for t in beside.values()].count(alone.roles) == 1


def test_a_tensor_twice_in_wrappers_is_none(tmp_path: Path) -> None:
    tensors = llama()
    tensors["model.layers.3.self_attn._orig_mod.q_proj.weight"] = np.ones((16, 16), "<f4")

    assert towers(tmp_path, tensors, LLAMA)["model.layers"].layers == (0, 1, 2, *range(4, 10))


@pytest.mark.parametrize("wrapper", ["_orig_mod", "module", "base_model.model", "_fsdp_wrapped"])
def test_a_wrapped_model_is_read_like_the_model(wrapper: str, tmp_path: Path) -> None:
    wrapped = {f"{wrapper}.{name}": tensor for name, tensor in llama().items()}

    (tower,) = towers(tmp_path / "wrapped", wrapped, LLAMA).values()

    assert tower.roles == towers(tmp_path / "bare", llama(), LLAMA)["model.layers"].roles
    assert Role.NORM in tower.roles


def test_a_leaf_of_another_layout_changes_nothing(tmp_path: Path) -> None:
    wq = {f"model.layers.{n}.self_attn.wq.weight": np.ones((16, 16), "<f4") for n in range(10)}
    alone = towers(tmp_path / "alone", llama(), LLAMA)["model.layers"]

    assert towers(tmp_path / "beside", llama() | wq, LLAMA)["model.layers"].roles == alone.roles


@pytest.mark.parametrize(
    "lie", [{"num_hidden_layers": 99}, {"model_type": "kimi_linear"}, {"num_kv_shared_layers": 8}]
)
def test_a_sub_config_that_the_architecture_has_not_is_ignored(
    lie: dict[str, Any], tmp_path: Path
) -> None:
    tensors = llama() | other("layers.", "layers.1") | DECOYS["what recurrent blocks have"]
    alone = towers(tmp_path / "alone", llama(), LLAMA)["model.layers"]

    beside = towers(tmp_path / "beside", tensors, LLAMA | {"llm_config": lie, "text_config": lie})

    assert beside["model.layers"].roles == alone.roles


def test_a_config_that_does_not_count_its_layers_leaves_the_depth_open(tmp_path: Path) -> None:
    folder = write(tmp_path, llama())
    (folder / "config.json").write_text('{"model_type": "llama", "n_layer": 10}')
    with LocalSource(str(folder)) as source:
        attention = find_attention(read_checkpoint(source))

    assert attention.towers == ()
    assert "config.json does not say clearly how many layers" in attention.unmeasured[0]


def test_attention_in_a_layer_with_another_mixer_is_left_out(tmp_path: Path) -> None:
    conv = {
        f"model.layers.{layer}.conv.{name}.weight": np.ones((4, 4), "<f4")
        for layer in range(0, 10, 2)
        for name in ("conv", "in_proj", "out_proj")
    }
    config = {"model_type": "lfm2", "num_hidden_layers": 10}

    assert towers(tmp_path, llama() | conv, config)["model.layers"].layers == (1, 3, 5, 7, 9)


def test_sublayers_of_any_number_are_towers_of_their_own(tmp_path: Path) -> None:
    config = {"model_type": "t5", "num_layers": 10}
    alone = towers(tmp_path / "alone", t5(), config)["encoder.block"]
    decoys = {k: v for n in range(1, 14) for k, v in t5(seed=n, sublayer=n + 4).items()}

    beside = towers(tmp_path / "beside", t5() | decoys, config)

    assert [t.roles for t in beside.values()].count(alone.roles) == 1


def test_a_spoilt_model_beside_a_larger_decoy_is_unmeasured(tmp_path: Path) -> None:
    spoilt = {
        f"model.layers.{n}.self_attn.qkv_proj.weight": np.ones((48, 16), "<f4") for n in range(10)
    }
    decoy = llama(width=64, seed=1, prefix="extra.layers")
    write(tmp_path, llama() | spoilt | decoy, LLAMA)
    with LocalSource(str(tmp_path)) as source:
        checkpoint = read_checkpoint(source)
        covered = coverage(checkpoint, find_attention(checkpoint).towers)

    assert (covered.stack, covered.share) == ("model.layers", 0.0)


def test_markers_excuse_no_layer_that_has_attention(tmp_path: Path) -> None:
    spoilt = {
        f"model.layers.{n}.self_attn.qkv_proj.weight": np.ones((48, 16), "<f4") for n in range(9)
    }
    marks = {
        f"model.layers.{layer}.conv.{name}.weight": np.ones((1, 1), "<f4")
        for layer in range(9)
        for name in ("conv", "in_proj", "out_proj")
    }
    write(tmp_path, llama() | spoilt | marks, LLAMA)
    with LocalSource(str(tmp_path)) as source:
        checkpoint = read_checkpoint(source)

    assert coverage(checkpoint, find_attention(checkpoint).towers).share == 0.1


def test_of_very_many_towers_the_largest_are_kept(tmp_path: Path) -> None:
    many = {k: v for n in range(70) for k, v in llama(4, 8, n, f"a{n}.layers").items()}
    write(tmp_path, many | llama(), {"model_type": "new"})
    with LocalSource(str(tmp_path)) as source:
        attention = find_attention(read_checkpoint(source))

    assert len(attention.towers) == MAX_TOWERS
    assert "7 smaller towers" in attention.unmeasured[-1]


GEMMA_3N = {"model_type": "gemma3n", "text_config": {"num_hidden_layers": 10}}


@pytest.mark.parametrize(
    ("top", "inner", "reads"),
    [({}, 4, True), ({}, 0, True), ({"num_kv_shared_layers": 2}, 4, False), ({}, None, False)],
)
def test_shared_keys_that_are_not_clear_leave_the_text_open(
    top: dict[str, Any], inner: int | None, reads: bool, tmp_path: Path
) -> None:
    text = {"num_hidden_layers": 10, "num_kv_shared_layers": inner}

    found = towers(
        tmp_path, llama(), GEMMA_3N | {"text_config": text, "num_hidden_layers": 10} | top
    )

    assert bool(found) is reads


@pytest.mark.parametrize("types", [[], ["full_attention"] * 10])
def test_a_value_where_the_key_is_the_value_is_none(types: list[str], tmp_path: Path) -> None:
    text = {"num_hidden_layers": 10, "num_kv_shared_layers": 0, "attention_k_eq_v": True}
    config = {"model_type": "gemma4", "text_config": text | {"layer_types": types}}
    tensors = {n: t for n, t in llama().items() if "v_proj" not in n or ".4." in n}

    found = towers(tmp_path, tensors, config)["model.layers"]

    assert 4 not in found.layers
    assert found.roles[Role.V] == found.roles[Role.K]
