"""The rows of q and k are sampled in one order, however a family of files stores them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpcheck.checkpoint import Tensor
from fpcheck.signature.grids import Grid
from fpcheck.signature.rotary import in_halves
from tests.weights import (
    DOWN,
    GATE,
    NORM,
    ROLES,
    UP,
    Arrays,
    Model,
    arrays_of,
    correlation,
    measured,
    meta,
    named,
    on_layers,
    pairs,
    plain_samples,
    random_model,
)

MODEL = random_model(11)


@given(st.integers(1, 5), st.integers(1, 6), st.sampled_from(["q", "k"]))
def test_pairs_are_put_in_halves(heads: int, half: int, role: str) -> None:
    head = 2 * half
    rows = np.arange(heads * head)
    stored = pairs(rows[:, None], head)[:, 0]
    grid = Grid(Tensor("t", "F32", (1, 1), "f", 0, 4), role, np.argsort(stored), np.arange(1))

    found = in_halves(Grid(grid.tensor, role, np.arange(rows.size), grid.columns), head)

    assert np.array_equal(stored[found.rows], rows)


@pytest.mark.parametrize("head", [0, 1, 3, 5, 8])
def test_what_is_not_of_such_heads_stays(head: int) -> None:
    tensor = Tensor("t", "F32", (12, 1), "f", 0, 48)
    grid = Grid(tensor, "q", np.arange(12), np.arange(1))
    value = Grid(tensor, "v", np.arange(12), np.arange(1))

    assert in_halves(value, 4) is value
    assert in_halves(grid, head) is grid  # 8 does not divide the rows, the others are no pairs


def agree(found: Arrays, model: Model) -> None:
    for role in ROLES:
        expected = [plain_samples(role, layer[role]) for layer in model.layers]
        assert np.array_equal(found.samples[role], expected), role


def test_metas_own_files_have_the_samples_of_their_conversion() -> None:
    agree(arrays_of(MODEL, meta), MODEL)


def gguf(model: Model, path: Path, arch: str, kind: str | None = None) -> Arrays:
    """What is measured of a GGUF file as llama.cpp's conversion writes it."""
    pytest.importorskip("gguf", reason="the optional package gguf is not installed")
    from tests.gguf.files import ATTENTION, Kind, permuted, write_gguf

    names = {**ATTENTION, GATE: "ffn_gate", UP: "ffn_up", DOWN: "ffn_down", NORM: "attn_norm"}
    tensors = named("blk", "token_embd", names, model)
    for name, tensor in tensors.items():
        heads = {"attn_q": model.heads, "attn_k": model.groups}.get(name.split(".")[-2])
        if heads and arch in ("llama", "granite"):
            tensors[name] = permuted(tensor, heads)
    matrices = (name for name, tensor in tensors.items() if tensor.ndim == 2)
    write_gguf(
        path,
        tensors,
        dict.fromkeys(matrices, Kind[kind]) if kind else None,
        arch=arch,
        heads=model.heads,
        kv_heads=model.groups,
        vocabulary=model.tokens,
    )
    found = measured({path.name: path.read_bytes()}).arrays
    assert found is not None
    return found


@pytest.mark.parametrize("arch", ["llama", "granite", "qwen2"])
def test_gguf_files_have_the_samples_of_what_they_were_made_of(arch: str, tmp_path: Path) -> None:
    agree(gguf(MODEL, tmp_path / "model.gguf", arch), MODEL)


@pytest.mark.parametrize("kind", ["F16", "BF16", "Q8_0", "Q4_0"])
def test_quantised_gguf_files_have_samples_near_them(kind: str, tmp_path: Path) -> None:
    expected = arrays_of(MODEL)

    found = gguf(MODEL, tmp_path / "model.gguf", "llama", kind)

    least = 0.95 if kind == "Q4_0" else 0.999
    for role in ROLES:
        assert correlation(found.samples[role], expected.samples[role]) > least
    for name in ("qk", "vo"):
        assert correlation(found.forms[name], expected.forms[name]) > least - 0.02


def test_gains_of_gguf_files_are_whole(tmp_path: Path) -> None:
    """Where transformers stores a gain less one, llama.cpp's conversion has added it."""
    gemma = on_layers(MODEL, lambda _, x: {NORM: x[NORM] * 3})

    found = gguf(gemma, tmp_path / "model.gguf", "gemma")

    for name, form in arrays_of(gemma).forms.items():
        assert correlation(found.forms[name], form) > 0.9999
