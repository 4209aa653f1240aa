"""Small models that were really trained: strangers, derivatives, and one model transformed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from fpcheck.calibration import DEFAULT
from fpcheck.check import fingerprint
from fpcheck.comparison.evidence import WeightEvidence
from fpcheck.comparison.levels import Level
from fpcheck.comparison.reached import level_of
from fpcheck.comparison.weights import Weights, weight_evidence, weights_of
from fpcheck.source.local import LocalSource
from tests.data_folders import DATA

ZOO = DATA / "zoo"
LAYERS, HEADS, GROUPS, WIDTH, HEAD, HIDDEN = 16, 6, 2, 96, 16, 256
LOOKS = 1000  # as if the library had so many references

pytestmark = pytest.mark.skipif(not ZOO.is_dir(), reason=f"no zoo of trained models in {ZOO}")
Tensors = dict[str, NDArray[np.float32]]


def read(folder: Path) -> Weights:
    with LocalSource(str(folder)) as source:
        (tower,) = fingerprint(source, digest=False).signature.towers
    found = weights_of(tower)
    assert found
    return found


def against(candidate: Path, reference: str) -> WeightEvidence:
    found = weight_evidence(read(candidate), read(ZOO / reference), DEFAULT, LOOKS)
    assert found
    return found


@pytest.mark.parametrize(("one", "other"), list(combinations(("A", "B", "C", "E"), 2)))
def test_strangers(one: str, other: str) -> None:
    found = against(ZOO / one, other)

    assert level_of(found) is Level.NONE
    assert found.samples
    assert found.samples.p_best_holm > 1e-3


@pytest.mark.parametrize("kind", ["sft", "cpt"])
@pytest.mark.parametrize("model", ["A", "C", "E"])
def test_further_training(model: str, kind: str) -> None:
    found = against(ZOO / f"{model}_{kind}", model)

    assert level_of(found) is Level.DERIVED
    assert found.alignment
    assert found.alignment.sentence == "identical depth: layers 0–15 ↔ 0–15"


# What follows changes model A, a Llama.


def tensors() -> Tensors:
    """A's weights, as float32."""
    with safe_open(ZOO / "A/model.safetensors", "np") as file:
        raw = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 — no mapping
        assert raw
    content = (ZOO / "A/model.safetensors").read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    found: Tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, stop = entry["data_offsets"]
            words = np.frombuffer(content[8 + size + start : 8 + size + stop], "<u2")
            found[name] = (words.astype("<u4") << 16).view("<f4").reshape(entry["shape"])
    return found


def key(layer: int, leaf: str) -> str:
    return f"model.layers.{layer}.{leaf}.weight"


READERS = {  # what reads the residual stream, and the norm before it
    **dict.fromkeys(
        ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"), "input_layernorm"
    ),
    **dict.fromkeys(("mlp.gate_proj", "mlp.up_proj"), "post_attention_layernorm"),
}
WRITERS = ("self_attn.o_proj", "mlp.down_proj")


def rotated(given: Tensors, random: np.random.Generator) -> Tensors:
    """The residual stream in another basis, gains folded into what reads it."""
    turn, _ = np.linalg.qr(random.standard_normal((WIDTH, WIDTH)))
    found = dict(given)
    found["model.embed_tokens.weight"] = given["model.embed_tokens.weight"] @ turn
    found["lm_head.weight"] = given["lm_head.weight"] * given["model.norm.weight"] @ turn
    found["model.norm.weight"] = np.ones(WIDTH, np.float32)
    for layer in range(LAYERS):
        for leaf, norm in READERS.items():
            gain = given[key(layer, norm)]
            found[key(layer, leaf)] = given[key(layer, leaf)] * gain @ turn
            found[key(layer, norm)] = np.ones(WIDTH, np.float32)
        for leaf in WRITERS:
            found[key(layer, leaf)] = turn.T @ given[key(layer, leaf)]
    return found


def units_permuted(given: Tensors, random: np.random.Generator) -> Tensors:
    units = random.permutation(WIDTH)
    found = {k: v[..., units] if v.shape[-1] == WIDTH else v for k, v in given.items()}
    for layer in range(LAYERS):
        neurons = random.permutation(HIDDEN)
        for leaf in ("mlp.gate_proj", "mlp.up_proj"):
            found[key(layer, leaf)] = found[key(layer, leaf)][neurons]
        for leaf in WRITERS:
            columns = neurons if leaf == "mlp.down_proj" else slice(None)
            found[key(layer, leaf)] = given[key(layer, leaf)][units][:, columns]
    return found


def heads_permuted(given: Tensors, random: np.random.Generator) -> Tensors:
    """Groups in another order, and the queries of each group; with o's columns."""
    found = dict(given)
    for layer in range(LAYERS):
        groups = random.permutation(GROUPS)
        each = HEADS // GROUPS
        heads = np.concatenate([g * each + random.permutation(each) for g in groups])
        rows, shared = (
            (order[:, None] * HEAD + np.arange(HEAD)).reshape(-1) for order in (heads, groups)
        )
        for role, order in (("q", rows), ("k", shared), ("v", shared)):
            leaf = f"self_attn.{role}_proj"
            found[key(layer, leaf)] = given[key(layer, leaf)][order]
        found[key(layer, "self_attn.o_proj")] = given[key(layer, "self_attn.o_proj")][:, rows]
    return found


def heads_rotated(given: Tensors, random: np.random.Generator) -> Tensors:
    """v and o of each group in another basis of the head."""
    found = dict(given)
    for layer in range(LAYERS):
        v, o = key(layer, "self_attn.v_proj"), key(layer, "self_attn.o_proj")
        found[v], found[o] = given[v].copy(), given[o].copy()
        for group in range(GROUPS):
            turn, _ = np.linalg.qr(random.standard_normal((HEAD, HEAD)))
            own = slice(group * HEAD, (group + 1) * HEAD)
            found[v][own] = turn @ given[v][own]
            for head in range(group * HEADS // GROUPS, (group + 1) * HEADS // GROUPS):
                columns = slice(head * HEAD, (head + 1) * HEAD)
                found[o][:, columns] = given[o][:, columns] @ turn.T
    return found


def rescaled(given: Tensors, random: np.random.Generator) -> Tensors:
    """q against k and v against o, group by group; norms against what they feed."""
    found = dict(given)
    for layer in range(LAYERS):
        for one, other in (("k", "q"), ("v", "o")):
            scale = 2 ** random.uniform(-2, 2, GROUPS)
            wide = np.repeat(scale, HEAD)
            every = np.repeat(np.repeat(scale, HEADS // GROUPS), HEAD)
            first, second = (key(layer, f"self_attn.{role}_proj") for role in (one, other))
            found[first] = given[first] * wide[:, None]
            found[second] = given[second] / (every if other == "o" else every[:, None])
        for norm in ("input_layernorm", "post_attention_layernorm"):
            gain = 2 ** random.uniform(-2, 2, WIDTH)
            found[key(layer, norm)] = given[key(layer, norm)] * gain
            for leaf in (leaf for leaf, own in READERS.items() if own == norm):
                found[key(layer, leaf)] = found[key(layer, leaf)] / gain
    return found


def all_together(given: Tensors, random: np.random.Generator) -> Tensors:
    for change in (units_permuted, heads_permuted, heads_rotated, rescaled, rotated):
        given = change(given, random)
    return given


def restacked(chosen: Sequence[int], given: Tensors, random: np.random.Generator) -> Tensors:
    """The layers of those numbers, one after the other."""
    kept = {k: v for k, v in given.items() if ".layers." not in k}
    for place, layer in enumerate(chosen):
        for name, value in given.items():
            if name.startswith(f"model.layers.{layer}."):
                kept[name.replace(f".{layer}.", f".{place}.", 1)] = value
    return kept


def written(given: Tensors, folder: Path) -> Path:
    layers = len({name.split(".")[2] for name in given if ".layers." in name})
    config = json.loads((ZOO / "A/config.json").read_text()) | {"num_hidden_layers": layers}
    (folder / "config.json").write_text(json.dumps(config))
    shutil.copy(ZOO / "A/tokenizer.json", folder / "tokenizer.json")
    plain = {k: np.ascontiguousarray(v, np.float32) for k, v in given.items()}
    save_file(plain, folder / "model.safetensors")
    return folder


Change = Callable[[Tensors, np.random.Generator], Tensors]
PRESERVING: Mapping[str, tuple[Change, Level]] = {
    "residual stream rotated": (rotated, Level.TRANSFORMED),
    "units permuted": (units_permuted, Level.TRANSFORMED),
    "heads permuted": (heads_permuted, Level.DERIVED),  # the feed-forward part is as it was
    "heads rotated": (heads_rotated, Level.DERIVED),
    "rescaled": (rescaled, Level.DERIVED),  # no sign changes
    "all together": (all_together, Level.TRANSFORMED),
}


@pytest.mark.parametrize("name", PRESERVING)
def test_transformations_that_preserve_the_function(name: str, tmp_path: Path) -> None:
    change, level = PRESERVING[name]
    folder = written(change(tensors(), np.random.default_rng(5)), tmp_path)

    found = against(folder, "A")

    assert level_of(found) is level
    assert found.forms
    assert found.forms.hits == found.forms.of == LAYERS
    assert min(found.forms.qk, found.forms.vo) > 0.99
    assert level_of(against(folder, "B")) is Level.NONE


DEPTHS: Mapping[str, tuple[Sequence[int], str]] = {
    "up-scaled": (
        [*range(12), *range(4, 16)],
        "depth up-scaling: layers 0–11 ↔ 0–11, 12–23 ↔ 4–15",
    ),
    "halved": (range(0, 16, 2), "every second layer: 0–7 ↔ 0–14 in steps of 2"),
    "thinned": ([*range(6), *range(10, 16)], "layers removed: layers 0–5 ↔ 0–5, 6–11 ↔ 10–15"),
    "cut off": (range(10), "layers removed: layers 0–9 ↔ 0–9"),
}


@pytest.mark.parametrize("turn", [False, True], ids=["same basis", "rotated"])
@pytest.mark.parametrize("name", DEPTHS)
def test_changed_depth(name: str, turn: bool, tmp_path: Path) -> None:
    chosen, sentence = DEPTHS[name]
    given, random = tensors(), np.random.default_rng(6)
    folder = written(restacked(chosen, rotated(given, random) if turn else given, random), tmp_path)

    found = against(folder, "A")

    assert level_of(found) is (Level.TRANSFORMED if turn else Level.DERIVED)
    assert found.alignment
    if not turn:
        assert found.alignment.sentence == sentence


def decoy(shape: tuple[int, ...]) -> NDArray[np.float32]:
    return (5 * np.random.default_rng(9).standard_normal(shape)).astype(np.float32)


# Tensors that no loader of a Llama asks for, beside those of A in another basis.
DECOYS: Mapping[str, Tensors] = {
    "a norm of MobileBERT's name": {
        f"model.layers.{n}.bottleneck.attention.LayerNorm.weight": decoy((WIDTH,))
        for n in range(LAYERS)
    },
    "a norm of ALBERT's name": {
        f"model.layers.{n}.full_layer_layer_norm.weight": decoy((WIDTH,)) for n in range(LAYERS)
    },
    "an embedding among the layers": {"model.layers.embed_tokens.weight": decoy((1024, WIDTH))},
    "many small towers": {
        f"a{n}.layers.0.self_attn.{role}_proj.weight": decoy((WIDTH, WIDTH))
        for n in range(9)
        for role in "qkvo"
    },
}


@pytest.mark.parametrize("name", DECOYS)
def test_decoys_do_not_hide_a_model(name: str, tmp_path: Path) -> None:
    given = rotated(tensors(), np.random.default_rng(5)) | DECOYS[name]
    folder = written(given, tmp_path)

    with LocalSource(str(folder)) as source:
        towers = fingerprint(source, digest=False).signature.towers
    own = next(tower for tower in towers if tower.name == "model.layers")
    candidate, reference = weights_of(own), read(ZOO / "A")
    assert candidate
    found = weight_evidence(candidate, reference, DEFAULT, LOOKS)

    assert found
    assert level_of(found) is Level.TRANSFORMED


RIVALS: Mapping[str, Tensors] = {
    "two embeddings": {"model.other.embed_tokens.weight": decoy((1024, WIDTH))},
    "two norms": {f"model.layers.{n}.ln_1.weight": decoy((WIDTH,)) for n in range(LAYERS)},
}


@pytest.mark.parametrize("name", RIVALS)
def test_what_is_open_is_said_to_be_unmeasured(name: str, tmp_path: Path) -> None:
    folder = written(tensors() | RIVALS[name], tmp_path)

    with LocalSource(str(folder)) as source:
        signature = fingerprint(source, digest=False).signature

    assert any("could both" in said for said in signature.unmeasured)


@pytest.mark.parametrize("spoilt", ["tokenizer.json", "tokenizer.5.0.json"])
def test_a_tokenizer_that_cannot_be_relied_on_is_said(spoilt: str, tmp_path: Path) -> None:
    folder = written(tensors(), tmp_path)
    text = (folder / "tokenizer.json").read_text()
    (folder / spoilt).write_text(text.replace('"vocab": {', '"vocab": {"a": 900, ', 1))

    with LocalSource(str(folder)) as source:
        signature = fingerprint(source, digest=False).signature

    assert any("attention forms are not measured" in said for said in signature.unmeasured)
