"""Modules that the settings exempt are not decoded, however their names are compared."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpcheck.encodings.name_patterns import pattern
from tests.encodings.float_quantisers import float8, four_bits, int8
from tests.encodings.floats import decode, matrices, write
from tests.encodings.integers import checkpoint, gptq, quantised

Q = "model.layers.12.self_attn.q_proj"
GATE = "model.layers.12.mlp.gate_proj"
MATRIX = matrices((32, 64))[0]
CODED = float8(MATRIX, (32, 64))

EXEMPT = (
    *(Q, "q_proj", "self_attn.q_proj", "self_attn", "model.layers.12", "model", "layers.12"),
    *("model.language_model.layers.12.self_attn.q_proj", "layers.12.self_attn.q_proj", ""),
    *("proj", "roj", "Linear", "re:.*", "re:.*q_proj", "re:.*self_attn.*", "re:xxxx|.*q.*"),
    *(r"re:model\.layers\.\d+\.self_attn\.[qkv]_proj$", "re:.*[q]_[p]roj", "re:.*(k|q)_proj"),
    *(
        "re:(?i).*Q_PROJ",
        r"re:\x71_proj",
        "re:.*selfx?_attn",
        "*self_attn*",
        "re:model.layers.1..*",
    ),
    *("model.layers.*.self_attn", "layers.12*", "self.attn", "model.layers.(1|12).self_attn"),
    *("re:" + "(" * 200, "re:" + "a" * 5000, "language_model", "re:.*layers.1{1}2.*q_proj"),
)
OTHERS = (
    *("lm_head", "model.embed_tokens", "gate", "mlp.gate", "model.layers.12.mlp.gate", "visual"),
    *("re:.*lm_head", "re:visual.*", "re:model.visual.*", "re:.*mlp.gate$", "re:.*router.*"),
    *("model.layers.12.input_layernorm", "model.layers.3.self_attn.q_proj", "*mlp.gate"),
    *("model.layers.*.mlp.router", "model.norm", "multi_modal_projector", "k_proj", "o_proj"),
    *("re:.*vision_tower.*", "model.layers.2.self_attn", r"re:.*mlp\.shared_expert_gate$"),
)


def exempt(entries: Any, key: str, folder: Path, coded: Any = CODED, method: str = "fp8") -> bool:
    """Whether Q is refused; when it is not, neither is anything else."""
    tensors = coded.under(Q) | coded.under(GATE)
    said = {"quant_method": method, key: entries}
    found, faults = decode(
        write(folder, tensors, {"model_type": "llama", "quantization_config": said})
    )
    refused = found.tensors[f"{Q}.weight"].coding is None
    assert not refused or not found.tensors[f"{Q}.weight"].is_measurable
    assert bool(faults) is refused
    assert all("may exempt it" in fault for fault in faults)
    return refused


@pytest.mark.parametrize("entry", EXEMPT)
def test_what_a_loader_may_take_for_exempt_is_not_decoded(entry: str, tmp_path: Path) -> None:
    assert exempt(["lm_head", entry], "ignore", tmp_path)


@pytest.mark.parametrize("entry", OTHERS)
def test_what_is_meant_for_others_does_not_hurt(entry: str, tmp_path: Path) -> None:
    assert not exempt([entry], "ignore", tmp_path)


@pytest.mark.parametrize(
    "key", ["modules_to_not_convert", "ignored_layers", "exclude_modules", "llm_int8_skip_modules"]
)
def test_every_list_is_read(key: str, tmp_path: Path) -> None:
    assert exempt([Q], key, tmp_path)
    assert not exempt(None, key, tmp_path)
    assert not exempt([], key, tmp_path)
    assert exempt("x", key, tmp_path) and exempt([3], key, tmp_path)
    assert exempt([f"layer{n}" for n in range(6000)], key, tmp_path)


@pytest.mark.parametrize("quantise", [int8, four_bits])
def test_in_every_scheme(quantise: Any, tmp_path: Path) -> None:
    assert exempt([Q], "llm_int8_skip_modules", tmp_path, quantise(MATRIX), "bitsandbytes")
    assert not exempt(
        ["lm_head"], "llm_int8_skip_modules", tmp_path, quantise(MATRIX), "bitsandbytes"
    )


def test_gptq_and_the_list_of_a_file_beside() -> None:
    from fpcheck.encodings import decoded

    tensors = gptq(Q, quantised(32, 64))
    inner = {"quantization": {"exclude_modules": ["*q_proj"]}}
    said = {"quant_method": "gptq", "bits": 4, "group_size": 32}

    assert decoded(checkpoint(tensors, said))[1] == ()
    assert "may exempt" in decoded(checkpoint(tensors, said, hf_quant_config=inner))[1][0]


@pytest.mark.parametrize("layers", [2, 64])
def test_a_list_of_every_layers_norms_leaves_all_decoded(layers: int, tmp_path: Path) -> None:
    tensors: dict[str, Any] = {}
    for n in range(layers):
        tensors |= CODED.under(f"model.layers.{n}.mlp.experts.{n}.gate_proj")
    names = [
        f"model.layers.{n}.{m}" for n in range(layers) for m in ("mlp.gate", "input_layernorm")
    ]
    said = {"quant_method": "fp8", "modules_to_not_convert": names}

    config = {"model_type": "llama", "quantization_config": said}

    assert decode(write(tmp_path, tensors, config))[1] == ()


@given(st.text(alphabet="qk_proj.*+?|()[]{}^$\\d1", max_size=12))
def test_a_pattern_matches_no_less_than_the_expression(text: str) -> None:
    try:
        with warnings.catch_warnings(action="ignore"):
            found = re.search(text, "q_proj.k1")
    except (re.error, RecursionError, OverflowError):
        return
    if found:
        assert pattern(text).matches("q_proj.k1")
        assert pattern(text).loose.matches("q_proj.k0")
