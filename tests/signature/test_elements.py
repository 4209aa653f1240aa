"""Rows and vectors that are read on their own; tensors of nothing, and of several matrices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fpcheck.checkpoint import read_checkpoint
from fpcheck.errors import NonFiniteError, SourceError
from fpcheck.signature.decode import STORED
from fpcheck.signature.elements import rows_of, vector
from fpcheck.signature.measure import measure
from tests.checkpoints import safetensors
from tests.memory_source import MemorySource
from tests.signature.samples import stored, worths
from tests.signature.towers import FILE, Sample, content
from tests.weights import (
    DOWN,
    GATE,
    NORM,
    UP,
    files,
    llama,
    measured,
    named,
    opened,
    plain_samples,
    random_model,
    sharded,
)


@pytest.mark.parametrize("dtype", STORED)
def test_rows_and_vectors_of_every_dtype(dtype: str) -> None:
    from fpcheck.layouts import Role
    from fpcheck.packing import whole

    matrix = stored(np.random.default_rng(0).normal(size=(9, 7)), dtype)
    given = [Sample(dtype, matrix, whole(Role.Q, 63))]
    source = MemorySource({FILE: content(given)})
    tensor = read_checkpoint(source).tensors["tensor.0"]
    values = worths(matrix, dtype)

    assert np.array_equal(rows_of(source, tensor, [8, 0, 3, 3]), values[[8, 0, 3, 3]])
    assert np.array_equal(vector(source, tensor), values.reshape(-1))


def test_rows_of_codes_are_those_of_the_values(tmp_path: Path) -> None:
    pytest.importorskip("gguf", reason="the optional package gguf is not installed")
    from tests.gguf.files import Kind, decoded_values, write_gguf

    tensors = {
        "token_embd.weight": np.random.default_rng(0).normal(size=(900, 320)).astype(np.float32),
        "blk.0.attn_q.weight": np.ones((320, 320), np.float32),
    }
    path = write_gguf(tmp_path / "m.gguf", tensors, dict.fromkeys(tensors, Kind.Q5_1))
    from fpcheck.encodings import decoded

    checkpoint, _ = decoded(read_checkpoint(MemorySource({path.name: path.read_bytes()})))
    tensor = checkpoint.tensors["token_embd.weight"]
    assert tensor.coding is not None
    assert len(list(tensor.coding.blocks())) > 1
    rows = [899, 0, 819, 820, 5]

    values = decoded_values(checkpoint.source, tensor.coding, tensor.shape)

    assert np.array_equal(rows_of(checkpoint.source, tensor, rows), values[rows])


def test_bytes_that_are_missing_are_an_error() -> None:
    given = files(*llama(random_model(0)), random_model(0).tokens)
    checkpoint, *_ = opened(MemorySource(given))
    tensor = checkpoint.tensors["model.embed_tokens.weight"]

    with pytest.raises(SourceError):
        rows_of(MemorySource({"model.safetensors": b"short"}), tensor, [3])


@pytest.mark.parametrize("stack", [False, True])
def test_experts_of_codes_in_a_stack(stack: bool, tmp_path: Path) -> None:
    """A stack is one matrix of as many rows as there are, whose columns are the last axis."""
    pytest.importorskip("gguf", reason="the optional package gguf is not installed")
    from gguf.quants import dequantize, quantize

    from tests.gguf.files import ATTENTION, Kind, write_gguf

    model = random_model(0, layers=1)
    own = dict(model.layers[0])
    names = {**ATTENTION, NORM: "attn_norm", GATE: "ffn_gate", UP: "ffn_up", DOWN: "ffn_down"}
    if stack:
        random = np.random.default_rng(1)
        for role in (GATE, UP, DOWN):
            others = random.normal(size=(2, *own[role].shape)).astype(np.float32)
            own[role] = np.concatenate([own[role][None], others])
            names[role] += "_exps"
    tensors = named(
        "blk", "token_embd", names, type(model)(4, 2, model.tokens, model.embedding, (own,))
    )
    kinds = {n: Kind.Q8_0 for n, t in tensors.items() if t.ndim > 1}
    path = write_gguf(
        tmp_path / "m.gguf",
        tensors,
        kinds,
        arch="qwen2moe" if stack else "qwen2",
        heads=4,
        kv_heads=2,
        vocabulary=model.tokens,
    )

    found = measured({path.name: path.read_bytes()}).arrays

    assert found is not None
    for role in (GATE, UP, DOWN):
        first = model.layers[0][role]
        meant = dequantize(quantize(first, Kind.Q8_0), Kind.Q8_0)
        assert np.array_equal(found.samples[role][0], plain_samples(role, meant)), role
        assert found.shapes[role].tolist() == [list(first.shape)]


def test_the_first_of_several_tensors_is_sampled_whatever_the_order_of_files() -> None:
    """Zaya's v is of two tensors of half the width."""
    model = random_model(0, layers=2)
    tensors, config = llama(model)
    moved = {}
    for name, tensor in tensors.items():
        if "v_proj" in name:
            moved[name.replace("v_proj", "qkv_proj.v_proj_current")] = tensor[:16]
            moved[name.replace("v_proj", "qkv_proj.v_proj_delayed")] = tensor[16:]
        else:
            for role in "qk":
                name = name.replace(f"attn.{role}_proj", f"attn.qkv_proj.{role}_proj")
            moved[name] = tensor
    config["model_type"] = "zaya"
    found = []
    for reverse in (False, True):
        names = sorted(moved, reverse=reverse)
        arrays = measured(sharded((moved, config), model, names)).arrays
        assert arrays is not None
        found.append(arrays)

    one, other = found
    assert np.array_equal(one.samples["v"], other.samples["v"])
    assert np.array_equal(one.samples["v"][0], plain_samples("v", model.layers[0]["v"][:16]))
    assert not one.forms["vo"].any()
    assert one.forms["qk"].any()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_sample_that_is_not_finite_is_an_error(value: float) -> None:
    model = random_model(0)
    tensors, config = llama(model)
    tensors["model.layers.1.mlp.up_proj.weight"] = np.full((96, 64), value, np.float32)

    with pytest.raises(NonFiniteError, match="up_proj"):
        measured(files(tensors, config, model.tokens))


@pytest.mark.parametrize("name", ["q_proj", "k_proj", "up_proj", "q_proj.bias", "embed_tokens"])
@pytest.mark.parametrize("shape", [(64, 0), (0, 64), (0, 0)])
def test_tensors_of_no_elements_end_in_no_crash(name: str, shape: tuple[int, int]) -> None:
    from fpcheck.check import fingerprint
    from fpcheck.errors import CheckError, UsageError

    model = random_model(0)
    tensors, config = llama(model)
    if name.endswith(".bias"):
        tensors["model.layers.0.self_attn.q_proj.bias"] = np.zeros(0, np.float32)
    for each in [n for n in tensors if name in n]:
        tensors[each] = np.zeros(shape if tensors[each].ndim > 1 else (0,), np.float32)

    try:
        fingerprint(MemorySource(files(tensors, config, model.tokens)))
    except (CheckError, UsageError) as error:
        assert str(error)


def test_without_probes_nothing_but_the_profile_is_taken() -> None:
    model = random_model(0)
    source = MemorySource(files(*llama(model), model.tokens))
    checkpoint, attention, probes = opened(source)

    (bare,), (probed,) = measure(checkpoint, attention), measure(checkpoint, attention, probes)

    assert bare.arrays is None
    assert bare == probed  # arrays take no part


def test_a_file_of_safetensors_may_be_unaligned() -> None:
    model = random_model(0)
    tensors, config = llama(model)
    given = files(tensors, config, model.tokens)
    expected = measured(given).arrays
    odd = {"a.odd": np.zeros(3, np.uint8), **tensors}
    given["model.safetensors"] = safetensors(odd)

    found = measured(given).arrays

    assert found is not None
    assert expected is not None
    for name, form in expected.forms.items():
        assert np.array_equal(found.forms[name], form)
    for role, samples in expected.samples.items():
        assert np.array_equal(found.samples[role], samples)
