"""`fpcheck layouts explain` says what is read, as what, and what is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from fpcheck.cli import main
from fpcheck.layouts import Kind
from fpcheck.report.explanation_document import FORMAT
from fpcheck.report.sinks import plain
from tests import test_layouts
from tests.adapters import samples
from tests.checkpoints import llama, write
from tests.data_folders import ROOT
from tests.encodings import integers
from tests.test_layouts import HEADERS

SCHEMA = json.loads((ROOT / "schemas/layouts.schema.json").read_text())


def explained(
    folder: Path, capsys: pytest.CaptureFixture[str], *options: str, code: int = 0
) -> str:
    assert main(["layouts", "explain", str(folder), *options]) == code
    return capsys.readouterr().out


def line_of(text: str, part: str) -> str:
    """The one line with some words, its columns one blank apart."""
    (line,) = [line for line in text.splitlines() if part in line]
    return " ".join(line.split())


def recorded(name: str, folder: Path) -> Path:
    header = HEADERS[name]
    return write(folder, test_layouts.filled(header), header["config"])


def test_layers_are_one_line_each_tensor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = explained(write(tmp_path, llama()), capsys)

    assert f"{plain(tmp_path)}  (llama)\n  10 of 10 layers of model.layers are measured\n" in text
    assert "\nmodel.layers  self-attention, layout 'llama', layers 0-9\n" in text
    q = line_of(text, "q_proj")
    assert q == "model.layers.{0-9}.self_attn.q_proj.weight [16, 16] F32 → q"
    assert line_of(text, "input_layernorm").endswith("[16] F32 → norm")
    assert line_of(text, "embed_tokens") == "model.embed_tokens.weight [32, 16] F32"
    assert "not measured" not in text


@pytest.mark.parametrize(
    ("header", "tensor", "told"),
    [
        (
            "gpt_neox",
            "query_key_value.weight",
            "→ q, k, v (q, k, v of head 0, then of head 1, …; 6 × (8 rows of q, 8 of k, 8 of v))",
        ),
        (
            "gpt_neox",
            "query_key_value.bias",
            "→ q.bias, k.bias, v.bias (6 × (8 elements of q.bias, 8 of k.bias, 8 of v.bias))",
        ),
        (
            "gpt2",
            "c_attn.weight",
            "→ q, k, v (all of q, all of k, all of v; "
            "48 columns of q, 48 of k, 48 of v; stored with its inputs first)",
        ),
        ("gpt2", "attn.c_proj.weight", "→ o (stored with its inputs first)"),
        (
            "mla",
            "kv_a_proj_with_mqa.weight",
            "→ kv.latent, k (latent of k and v, then the rotary part of k; "
            "20 rows of kv.latent, 8 of k)",
        ),
        (
            "mla",
            "kv_b_proj.weight",
            "→ k, v (k and v of each head, out of their latent; 6 × (16 rows of k, 12 of v))",
        ),
        ("reformer-queries-are-keys", "query_key.weight", "→ q, k (q, which is k)"),
        (
            "convbert",
            "attention.output.dense.weight",
            "→ o, o.branch (along its inputs: o, then what another branch is projected by; "
            "24 columns of o, 24 of o.branch)",
        ),
    ],
)
def test_parts_of_a_tensor_are_told_in_words(
    header: str, tensor: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = explained(recorded(header, tmp_path), capsys)

    assert line_of(text, tensor).partition("→")[2] == told[1:]


def test_a_gate_beside_each_head_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tensors = llama(layers=2)
    for name in [name for name in tensors if "q_proj" in name]:
        tensors[name] = np.ones((32, 16), "<f4")
    config = {"model_type": "qwen3_next", "num_attention_heads": 4}

    text = explained(write(tmp_path, tensors, config), capsys)

    assert line_of(text, "q_proj").endswith("→ q, gate (4 × (4 rows of q, 4 of gate))")


def test_fused_tensors_that_nothing_settles_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = explained(write(tmp_path, fused(), {"model_type": "new"}), capsys)

    assert line_of(text, "{0-1}.attention.query_key_value").endswith(
        "→ qkv (which part is which is not settled)"
    )
    assert "\nto know\n" in text


def fused() -> dict[str, np.ndarray]:
    name = "transformer.h.{}.attention.{}.weight"
    shapes = {"query_key_value": (48, 16), "dense": (16, 16)}
    return {
        name.format(layer, leaf): np.ones(shape, "<f4")
        for layer in range(2)
        for leaf, shape in shapes.items()
    }


def test_shapes_that_differ_between_layers_have_lines_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tensors = llama(layers=4)
    for layer in (1, 3):
        for name, shape in {"q_proj": (32, 16), "o_proj": (16, 32)}.items():
            tensors[f"model.layers.{layer}.self_attn.{name}.weight"] = np.ones(shape, "<f4")

    text = explained(write(tmp_path, tensors), capsys)

    assert line_of(text, "{0,2}.self_attn.q_proj").endswith("[16, 16] F32 → q")
    assert line_of(text, "{1,3}.self_attn.q_proj").endswith("[32, 16] F32 → q")


def test_keys_of_another_layer_are_said_to_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = {"model_type": "gemma3n_text", "num_kv_shared_layers": 2, "num_hidden_layers": 4}

    text = explained(write(tmp_path, llama(layers=4), config), capsys)

    assert line_of(text, "those of layer") == "k, v of layers 2-3: those of layer 1"
    assert "{0-1}.self_attn.k_proj.weight  [16, 16] F32  → k" in text
    assert line_of(text, "{2-3}.self_attn.k_proj") == (
        "model.layers.{2-3}.self_attn.k_proj.weight [16, 16] F32"
    )


def test_codes_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    integers.write(tmp_path, gptq(), CONFIG)

    text = explained(tmp_path, capsys)

    assert line_of(text, "q_proj") == (
        "model.layers.{0-1}.self_attn.q_proj.weight [64, 64] GPTQ, 4 bits "
        "(qweight, scales, qzeros, g_idx) → q"
    )
    assert "no role in attention" not in text


SETTINGS = {"quant_method": "gptq", "bits": 4, "group_size": 32, "sym": False}
CONFIG = {"model_type": "llama", "num_hidden_layers": 2, "quantization_config": SETTINGS}


def gptq() -> dict[str, Any]:
    coded = integers.quantised(64, 64)
    names = ("q_proj", "k_proj", "v_proj", "o_proj")
    modules = [f"model.layers.{layer}.self_attn.{name}" for layer in range(2) for name in names]
    return {n: a for module in modules for n, a in integers.gptq(module, coded).items()}


def test_unknown_attention_is_shown_with_what_its_layers_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tensors = {name.replace("_proj", "_mystery"): t for name, t in llama().items()}

    text = explained(write(tmp_path, tensors), capsys, code=3)

    assert "0 of 10 layers of model.layers are measured" in text
    assert "\nnot measured\n  model.layers: 10 of 10 layers have no attention" in text
    unknown, others = text.split("\nmatrices of layers whose attention is not known\n")[1].split(
        "\nno role in attention: 11 tensors\n"
    )
    assert unknown.count("_mystery") == 4
    assert others.count("\n") == 2


def test_the_nearest_layout_and_layers_beyond_the_config_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tensors = {n: t for n, t in llama(layers=6).items() if ".2.self_attn.v_" not in n}
    config = {"model_type": "llama", "num_hidden_layers": 5}

    text = explained(write(tmp_path, tensors, config), capsys)

    assert "layers from 5 on are beyond the config's 5" in text
    assert "v_proj.weight" in line_of(text, "model.layers: layers 2 have no")


def test_layers_with_something_in_place_of_attention_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tensors = llama(layers=2)
    leaves = ("A_log", "D", "conv1d.weight", "in_proj.weight", "out_proj.weight")
    for leaf in leaves:
        tensors[f"model.layers.2.mixer.{leaf}"] = np.ones((2, 2), "<f4")

    text = explained(write(tmp_path, tensors), capsys)

    assert "  in place of attention, state-space: layer 2\n" in text


def test_long_lists_are_cut_unless_all_is_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = {f"extra{n}.weight": np.ones((2, 2), "<f4") for n in range(40)}
    write(tmp_path, llama() | more)

    assert "and 26 more patterns: see them with --all" in explained(tmp_path, capsys)
    text = explained(tmp_path, capsys, "--all")
    assert "extra39" in text
    assert "--all" not in text


HOSTILE = "::stop-commands::x\n::error::y\x1b[31m\u202e##[group]<b>`[x](y)"


def test_hostile_names_are_shown_and_never_obeyed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tensors = {
        f"{HOSTILE}.{name}": tensor
        for name, tensor in {**llama(), "odd.bias": np.ones(3, "<f4")}.items()
    }
    write(tmp_path, tensors, {"model_type": HOSTILE})

    for options in ([], ["--all"], ["--format", "json"]):
        text = explained(tmp_path, capsys, *options)
        assert "##[" not in text
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert not any(line.lstrip().startswith("::") for line in text.splitlines())


@pytest.mark.parametrize("name", HEADERS)
def test_json_says_it_all_and_follows_its_schema(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = explained(recorded(name, tmp_path), capsys, "--format", "json")

    document = json.loads(text)
    assert document["format"] == FORMAT
    assert [e.message for e in Draft202012Validator(SCHEMA).iter_errors(document)] == []
    groups = [g for tower in document["towers"] for g in tower["tensors"]]
    groups += [*document["unknown"], *document["others"]]
    shared = sum(len(lent["layers"]) for tower in document["towers"] for lent in tower["lent"])
    assert sum(group["count"] for group in groups) >= len(HEADERS[name]["tensors"])
    assert shared or sum(group["count"] for group in groups) == len(HEADERS[name]["tensors"])


def test_the_schema_knows_every_kind() -> None:
    kinds = SCHEMA["properties"]["towers"]["items"]["properties"]["kind"]["enum"]

    assert kinds == list(Kind)


def test_an_adapter_is_shown_on_its_base(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = samples.a_llama()
    samples.write_base(tmp_path / "base", base)
    adapted = samples.factors(base, samples.modules_of(base, "q_proj"))
    samples.write_adapter(tmp_path / "adapter", adapted)

    text = explained(tmp_path / "adapter", capsys, "--base", str(tmp_path / "base"))

    assert line_of(text, "self_attn.q_proj.weight").endswith(
        "LoRA of rank 4 on F32 (weight, lora_A.weight, lora_B.weight) → q"
    )
    assert "LoRA" not in line_of(text, "self_attn.k_proj.weight")


def test_what_is_no_checkpoint_is_wrong_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["layouts", "explain", str(tmp_path / "nothing")]) == 2
    assert capsys.readouterr().out == ""
