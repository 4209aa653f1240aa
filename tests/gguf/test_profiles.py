"""The profile of a conversion is that of the original, but for what quantisation does to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.quantisers.k_quants import q4_k, q6_k
from fpcheck.checkpoint import read_checkpoint
from fpcheck.cli import main
from fpcheck.encodings import decoded
from fpcheck.source import open_source
from tests.data_folders import data, minilm
from tests.gguf.conversion import BERT, LLAMA, ROLES, Family, convert, weights
from tests.gguf.files import ATTENTION, Kind, converted, llama, values_of, write_gguf


def everything(kind: Kind) -> Callable[[int, str], Kind]:
    """One type for all."""
    return lambda layer, role: kind


def q4_k_m(layer: int, role: str) -> Kind:
    """What llama-quantize makes of Q4_K_M where rows are no multiple of 256.

    Q4_K falls back to Q5_0, and Q6_K, which half of v's get, to Q8_0.
    """
    return Kind.Q8_0 if role == "v" and layer % 2 == 0 else Kind.Q5_0


RECIPES = {
    "F32": everything(Kind.F32),
    "F16": everything(Kind.F16),
    "BF16": everything(Kind.BF16),
    "Q8_0": everything(Kind.Q8_0),
    "Q5_1": everything(Kind.Q5_1),
    "Q5_0": everything(Kind.Q5_0),
    "Q4_1": everything(Kind.Q4_1),
    "Q4_0": everything(Kind.Q4_0),
    "Q4_K_M": q4_k_m,
}
MODELS: dict[str, tuple[Callable[[], Path], Family]] = {
    "MiniLM": (minilm, BERT),
    "a Llama": (lambda: data("zoo/A"), LLAMA),
}
# What quantisation itself may move a standard deviation by, relatively.
MOVED = {"F32": 0.0, "F16": 1e-5, "BF16": 1e-4, "Q8_0": 1e-3}


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("model", MODELS)
def test_the_profile_of_a_conversion(
    model: str, recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, family = MODELS[model][0](), MODELS[model][1]
    made = convert(folder, tmp_path / "model.gguf", family, RECIPES[recipe])
    original = weights(folder)
    layers = 1 + max(layer for layer, _ in made.values)

    assert main(["fingerprint", str(made.path), "--no-digest"]) == 0
    (tower,) = json.loads(capsys.readouterr().out)["towers"]

    for role in ROLES:
        found = np.array(tower["roles"][role]["std"])
        meant = [made.values[layer, role].std() for layer in range(layers)]
        before = [
            original[family.names[role].format(layer) + ".weight"].std(dtype=np.float64)
            for layer in range(layers)
        ]
        assert found == pytest.approx(meant, rel=1e-6)
        assert found == pytest.approx(before, rel=MOVED.get(recipe, 1e-2) + 1e-7)
        assert np.corrcoef(found, before)[0, 1] > 0.999


@pytest.mark.parametrize("model", MODELS)
def test_every_row_is_where_it_was(model: str, tmp_path: Path) -> None:
    folder, family = MODELS[model][0](), MODELS[model][1]
    made = convert(folder, tmp_path / "model.gguf", family, everything(Kind.F32))
    with open_source(str(made.path)) as source:
        checkpoint, faults = decoded(read_checkpoint(source))

        assert not faults
        for (layer, role), meant in made.values.items():
            tensor = checkpoint.tensors[f"blk.{layer}.{ATTENTION[role]}.weight"]
            assert np.array_equal(values_of(source, tensor), meant)


def test_fused_matrices_are_taken_apart_as_conversion_has_put_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """q, k and v of each head in turn before conversion, all of q, of k and of v after it."""
    stored, heads, tensors, meant = weights(data("zoo/E")), 6, {}, {}
    for layer in range(16):
        stem = f"gpt_neox.layers.{layer}.attention"
        fused = stored[f"{stem}.query_key_value.weight"]
        by_head = fused.reshape(heads, 3, -1, fused.shape[1])
        for place, role in enumerate("qkv"):
            meant[layer, role] = by_head[:, place].astype(np.float64).std()
        together = by_head.swapaxes(0, 1).reshape(fused.shape)
        tensors[f"blk.{layer}.attn_qkv.weight"] = np.ascontiguousarray(together)
        tensors[f"blk.{layer}.attn_output.weight"] = stored[f"{stem}.dense.weight"]
    path = write_gguf(tmp_path / "model.gguf", tensors, arch="gptneox", heads=heads)

    assert main(["fingerprint", str(path), "--no-digest"]) == 0
    (tower,) = json.loads(capsys.readouterr().out)["towers"]

    for role in "qkv":
        expected = [meant[layer, role] for layer in range(16)]
        assert tower["roles"][role]["std"] == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("mix", ["Q4_K_M", "Q6_K"])
def test_the_profile_of_blocks_of_256(
    mix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Q4_K with Q6_K for half of v's, or Q6_K throughout, with q and k reordered."""
    original = llama(layers=8, width=256)
    tensors, kinds, meant = {}, {}, {}
    for name, matrix in converted(original, 4, 2).items():
        _, layer, part, _ = name.split(".")
        six = mix == "Q6_K" or (part == "attn_v" and int(layer) % 2 == 0)
        tensors[name], values = (q6_k if six else q4_k)(matrix)
        kinds[name], meant[int(layer), part] = Kind.Q6_K if six else Kind.Q4_K, values.std()
    path = write_gguf(tmp_path / "model.gguf", tensors, kinds, kv_heads=2)

    assert main(["fingerprint", str(path), "--no-digest"]) == 0
    (tower,) = json.loads(capsys.readouterr().out)["towers"]

    for role, part in ATTENTION.items():
        found = tower["roles"][role]["std"]
        before = [original[f"blk.{n}.{part}.weight"].std(dtype=np.float64) for n in range(8)]
        assert found == pytest.approx([meant[n, part] for n in range(8)], rel=1e-6)
        assert np.corrcoef(found, before)[0, 1] > 0.999
