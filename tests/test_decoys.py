"""Tensors and settings that no loader reads cannot bend what is measured of those that it does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpcheck.attention import find_attention
from fpcheck.checkpoint import read_checkpoint
from fpcheck.layouts import Kind, Role
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
