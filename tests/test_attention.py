"""Attention is found where it is, against checkpoints whose true statistics are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import layouts
from fpcheck.attention import find_attention
from fpcheck.checkpoint import read_checkpoint
from fpcheck.layouts import Role
from fpcheck.signature import TowerProfile
from fpcheck.signature.measure import measure
from fpcheck.source.local import LocalSource
from tests.checkpoints import llama, write
from tests.data_folders import DATA

EXAMPLES = DATA / "attention-examples"


def measured(folder: Path) -> tuple[TowerProfile, ...]:
    with LocalSource(str(folder)) as source:
        checkpoint = read_checkpoint(source)
        return measure(checkpoint, find_attention(checkpoint))


@pytest.mark.parametrize(
    "folder", sorted(EXAMPLES.glob("*/*/")), ids=lambda path: "/".join(path.parts[-2:])
)
def test_every_role_of_every_layer_is_measured_right(folder: Path) -> None:
    result = layouts.judged(folder, folder.name)

    assert (result.mismatches, result.missing) == ((), ())
    assert result.matched or folder.name == "falcon_mamba", "it has nothing else than state spaces"


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
