"""Attention is found where it is, against checkpoints whose true statistics are known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fpcheck.attention import find_attention
from fpcheck.checkpoint import read_checkpoint
from fpcheck.layouts import LAYOUTS, Role
from fpcheck.signature import TowerProfile
from fpcheck.signature.measure import measure
from fpcheck.source.local import LocalSource
from tests.checkpoints import llama, write
from tests.data_folders import DATA, data

EXAMPLES = DATA / "attention-examples"
# The families that the layout table must read today.
FAMILIES = (
    "causal_lm/llama",
    "causal_lm/qwen2",
    "causal_lm/gemma",
    "causal_lm/olmo",
    "causal_lm/granite",
    "causal_lm/starcoder2",
    "causal_lm/gpt2",
    "causal_lm/gpt_neox",
    "remote_code/pythia_hub",
    "causal_lm/bloom",
    "causal_lm/falcon",
    "causal_lm/gpt_bigcode",
    "causal_lm/phi3",
    "causal_lm/bert",
    "masked_lm/camembert",
    "masked_lm/xlm-roberta",
    "masked_lm/mpnet",
    "causal_lm/opt",
    "causal_lm/gpt_neo",
    "seq2seq/t5",
    "seq2seq/bart",
    "masked_lm/mbart",
    "seq2seq/pegasus",
    "remote_code/llama_like_unknown",
)
# Late layers use the keys and values of an earlier one, whatever their own file tensors hold.
SHARED_KEYS = {"gemma3n_text", "gemma4_text", "gemma4"}


def measured(folder: Path) -> tuple[TowerProfile, ...]:
    with LocalSource(str(folder)) as source:
        checkpoint = read_checkpoint(source)
        return measure(checkpoint, find_attention(checkpoint))


def truths(folder: Path) -> dict[tuple[str, int, Role], float]:
    """The true standard deviation by tower, layer and role."""
    truth = json.loads((folder / "truth.json").read_text())
    found = {}
    for layer in truth["layers"]:
        cross = " (cross-attention)" if layer.get("attn") == "cross" else ""
        for role in "qkvo":
            if layer.get("kind") == "attention" and layer.get(role):
                found[layer["stack"] + cross, layer["index"], Role(role)] = layer[role]["std"]
    return found


def measurements(towers: tuple[TowerProfile, ...]) -> Iterator[tuple[str, int, Role, float]]:
    for tower in towers:
        for role in (Role.Q, Role.K, Role.V, Role.O):
            for layer, moments in zip(tower.layers, tower.roles.get(role, ()), strict=False):
                if moments is not None:
                    yield tower.name, layer, role, moments.std


@pytest.mark.parametrize("name", FAMILIES)
def test_a_known_family_is_measured_in_full(name: str) -> None:
    folder = data(f"attention-examples/{name}")

    found = {key: std for *key, std in measurements(measured(folder)) for key in [tuple(key)]}

    assert found == pytest.approx(truths(folder), rel=1e-6)


@pytest.mark.parametrize(
    "folder", sorted(EXAMPLES.glob("*/*/")), ids=lambda path: "/".join(path.parts[-2:])
)
def test_whatever_is_measured_is_measured_right(folder: Path) -> None:
    truth = truths(folder)
    for tower, layer, role, std in measurements(measured(folder)):
        if folder.name in SHARED_KEYS and role in (Role.K, Role.V):
            continue
        if "cross" in tower and (tower, layer, role) not in truth:
            continue  # a decoder on its own does not use the cross-attention it was saved with
        assert std == pytest.approx(truth[tower, layer, role], rel=1e-6), (tower, layer, role)


def test_a_falcon_of_groups_is_split_by_its_kv_heads(tmp_path: Path) -> None:
    heads, groups, size, width = 4, 2, 4, 16
    random = np.random.default_rng(1)
    tensors = {}
    expected: dict[str, list[float]] = {"q": [], "k": [], "v": []}
    for layer in range(4):
        blocks: dict[str, list[np.ndarray]] = {"q": [], "k": [], "v": []}
        rows = []
        for _ in range(groups):
            for role, count in (("q", heads // groups), ("k", 1), ("v", 1)):
                block = random.normal(scale=random.uniform(1, 5), size=(count * size, width))
                blocks[role].append(block.astype("<f4"))
                rows.append(blocks[role][-1])
        for role, parts in blocks.items():
            expected[role].append(float(np.concatenate(parts).astype(float).std()))
        name = f"transformer.h.{layer}.self_attention"
        tensors[f"{name}.query_key_value.weight"] = np.concatenate(rows)
        tensors[f"{name}.dense.weight"] = np.ones((width, width), "<f4")
    config = {
        "model_type": "falcon",
        "new_decoder_architecture": True,
        "num_attention_heads": heads,
        "num_kv_heads": groups,
    }
    write(tmp_path, tensors, config)

    (tower,) = measured(tmp_path)

    for role, stds in expected.items():
        assert [m.std for m in tower.roles[Role(role)] if m] == pytest.approx(stds)


def test_a_fused_tensor_that_config_does_not_settle_is_pooled(tmp_path: Path) -> None:
    name = "transformer.h.{}.self_attention.{}.weight"
    tensors = {}
    for layer in range(4):
        fused = np.random.default_rng(layer).normal(size=(48, 16)).astype("<f4")
        tensors[name.format(layer, "query_key_value")] = fused
        tensors[name.format(layer, "dense")] = fused[:16]
    write(tmp_path, tensors, {"model_type": "something_new"})
    with LocalSource(str(tmp_path)) as source:
        attention = find_attention(read_checkpoint(source))

    assert set(measured(tmp_path)[0].roles) == {Role.QKV, Role.O}
    assert "pooled" in attention.notes[0]


def test_towers_are_kept_apart(tmp_path: Path) -> None:
    both = llama(layers=5) | llama(layers=4, width=8, prefix="vision.layers")
    write(tmp_path, both)

    towers = measured(tmp_path)

    assert [(tower.name, len(tower.layers)) for tower in towers] == [
        ("model.layers", 5),
        ("vision.layers", 4),
    ]


def test_a_layer_number_has_one_spelling(tmp_path: Path) -> None:
    tensors = llama(layers=4)
    tensors |= {n.replace("layers.1.", "layers.01."): t for n, t in tensors.items()}
    write(tmp_path, tensors)

    assert measured(tmp_path)[0].layers == (0, 1, 2, 3)


def test_every_row_of_the_table_has_what_it_needs() -> None:
    for row in LAYOUTS:
        assert Role.O in row.tails
        assert (Role.QKV in row.tails) == (row.packing != "split")
        assert row.settled or row.model_types, "a row that nothing can select"
    names = [row.name for row in LAYOUTS]
    assert len(set(names)) == len(names)
