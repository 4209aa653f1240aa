"""Adapters that cannot be merged, or do not fit: the right exit code, and what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpcheck.adapters.targets import modules
from fpcheck.cli import main
from fpcheck.errors import CheckError
from tests.adapters.samples import (
    PREFIX,
    Tensors,
    a_gpt2,
    a_llama,
    adapter_config,
    factors,
    write_adapter,
    write_base,
)
from tests.checkpoints import llama, write

MODULE = "model.layers.2.self_attn.q_proj"
A, B = (f"{PREFIX}{MODULE}.lora_{part}.weight" for part in "AB")
ONES = np.ones((16, 16), "<f4")
Change = Callable[[Tensors], Any]


def given(change: Change | None = None) -> Tensors:
    tensors = factors(a_llama(), {MODULE: 4})
    if change:
        change(tensors)
    return tensors


def renamed(module: str) -> Change:
    """The adapter's module under another name."""

    def change(tensors: Tensors) -> None:
        for name in list(tensors):
            tensors[name.replace(MODULE, module)] = tensors.pop(name)

    return change


def added(name: str, tensor: np.ndarray = ONES) -> Change:
    return lambda tensors: tensors.update({PREFIX + name: tensor})


# Settings of the adapter, what becomes of its tensors, and parts of what is said.
BAD: dict[str, tuple[dict[str, Any], Change | None, tuple[str, ...]]] = {
    "prompt tuning": (
        {"peft_type": "PROMPT_TUNING"},
        None,
        ("PROMPT_TUNING adds tokens and changes no weight", "check the base itself"),
    ),
    "prefix tuning": ({"peft_type": "PREFIX_TUNING"}, None, ("changes no weight",)),
    "IA3": ({"peft_type": "IA3"}, None, ("'IA3' is not one", "merge_and_unload()")),
    "LoHa": ({"peft_type": "LOHA"}, None, ("'LOHA' is not one",)),
    "LoKr": ({"peft_type": "LOKR"}, None, ("'LOKR' is not one",)),
    "OFT": ({"peft_type": "OFT"}, None, ("'OFT' is not one",)),
    "AdaLoRA": ({"peft_type": "ADALORA"}, None, ("'ADALORA' is not one",)),
    "no kind": ({"peft_type": None}, None, ("peft_type: None is not one",)),
    "a kind that is a list": ({"peft_type": [1]}, None, ("peft_type: [1] is not one",)),
    "PiSSA": (
        {"init_lora_weights": "pissa_niter_16"},
        None,
        ("'pissa_niter_16' has PEFT change the base's weights",),
    ),
    "OLoRA": ({"init_lora_weights": "olora"}, None, ("'olora' has PEFT",)),
    "LoftQ": ({"init_lora_weights": "loftq"}, None, ("'loftq' has PEFT",)),
    "a number for a beginning": ({"init_lora_weights": 1}, None, ("init_lora_weights: 1",)),
    "layers repeated": ({"layer_replication": [[0, 2], [1, 3]]}, None, ("layer_replication",)),
    "an activated LoRA": ({"alora_invocation_tokens": [1]}, None, ("cannot be merged",)),
    "parameters": ({"target_parameters": ["experts.w"]}, None, ("target_parameters",)),
    "biases of its own": ({"lora_bias": True}, None, ("lora_bias",)),
    "tokens": ({"trainable_token_indices": [1]}, None, ("trainable_token_indices",)),
    "no rank": ({"r": 0}, None, ("r: expected a positive integer, got 0",)),
    "a rank in words": ({"r": "4"}, None, ("r: expected a positive integer, got '4'",)),
    "a rank that is true": ({"r": True}, None, ("r: expected a positive integer, got True",)),
    "a rank beyond the factors": ({"r": 8}, None, ("not factors of rank 8",)),
    "no alpha": ({"lora_alpha": None}, None, ("lora_alpha: expected a number",)),
    "an alpha that is infinite": ({"lora_alpha": float("inf")}, None, ("expected a number",)),
    "a flag in words": ({"use_dora": "yes"}, None, ("use_dora: expected true or false",)),
    "a bias of no kind": ({"bias": "some"}, None, ("bias: expected none, all or lora_only",)),
    "ranks by a list": ({"rank_pattern": [4]}, None, ("rank_pattern: expected values by names",)),
    "a pattern that takes for ever": (
        {"rank_pattern": {"(a+)+$": 4}},
        None,
        ("rank_pattern: '(a+)+$' is a regular expression",),
    ),
    "a pattern for alphas": ({"alpha_pattern": {".*q_proj": 4}}, None, ("regular expression",)),
    "a pattern for stacks": (
        {"layers_to_transform": [2], "layers_pattern": ["(a+)+"]},
        None,
        ("layers_pattern: expected plain names",),
    ),
    "layers in words": ({"layers_to_transform": ["two"]}, None, ("layers_to_transform",)),
    "a module that is not targeted": (
        {"target_modules": ["k_proj"]},
        None,
        (f"'{MODULE}' has factors", "PEFT would ignore them"),
    ),
    "a layer that is not targeted": (
        {"layers_to_transform": [0, 1]},
        None,
        (f"'{MODULE}' has factors",),
    ),
    "no matrix in the base": (
        {},
        renamed("model.layers.7.self_attn.q_proj"),
        ("the base has no matrix 'model.layers.7.self_attn.q_proj.weight'",),
    ),
    "a name that loses its layer": (
        {},
        renamed("embed_tokens.2.x.q_proj"),
        ("the base has no matrix",),
    ),
    "several matrices in the base": (
        {},
        renamed("self_attn.q_proj"),
        ("'self_attn.q_proj.weight' may mean 'model.layers.0.self_attn", "of the base"),
    ),
    "one matrix twice": (
        {},
        lambda t: t.update(
            {n.replace("model.layers", "x.model.layers"): v for n, v in list(t.items())}
        ),
        ("both mean the base's",),
    ),
    "another shape": (
        {},
        lambda t: t.update({B: t[B][:12]}),
        ("is for shape [12, 16], the base's", "has [16, 16]"),
    ),
    "another width": ({}, lambda t: t.update({A: t[A][:, :8]}), ("is for shape [16, 8]",)),
    "no lora_A": ({}, lambda t: t.pop(A), (f"'{MODULE}' lacks lora_A",)),
    "no lora_B": ({}, lambda t: t.pop(B), (f"'{MODULE}' lacks lora_B",)),
    "ranks that differ": ({}, lambda t: t.update({B: t[B][:, :3]}), ("not factors of rank 4",)),
    "three dimensions": (
        {},
        lambda t: t.update({A: t[A].reshape(4, 4, 4)}),
        ("not factors of rank 4",),
    ),
    "integers": ({}, lambda t: t.update({A: t[A].astype("<i8")}), ("is stored as I64",)),
    "two adapters": (
        {},
        lambda t: t.update({A.replace(".weight", ".other.weight"): t[A]}),
        ("a second adapter of one module",),
    ),
    "DoRA without magnitudes": ({"use_dora": True}, None, ("lacks lora_MAGNITUDE",)),
    "magnitudes without DoRA": (
        {},
        added(f"{MODULE}.lora_magnitude_vector", np.ones(16, "<f4")),
        ("has a magnitude, without DoRA",),
    ),
    "magnitudes of another length": (
        {"use_dora": True},
        added(f"{MODULE}.lora_magnitude_vector", np.ones(8, "<f4")),
        ("lora_magnitude_vector' is for shape [8]",),
    ),
    "a part of no LoRA": (
        {},
        added(f"{MODULE}.lora_C.weight"),
        ("not a part of a LoRA that fpcheck can merge",),
    ),
    "single tokens": (
        {},
        added("model.embed_tokens.token_adapter.trainable_tokens_delta"),
        ("not a part of a LoRA",),
    ),
    "a tensor of nothing": (
        {},
        added("model.layers.2.self_attn.v_proj.weight"),
        ("is no part of a LoRA, and adapter_config.json does not name it",),
    ),
    "a saved matrix that the base lacks": (
        {"modules_to_save": ["z_proj"]},
        added("model.layers.2.self_attn.z_proj.weight"),
        ("the base has no tensor",),
    ),
    "a saved matrix of another shape": (
        {"modules_to_save": ["v_proj"]},
        added("model.layers.2.self_attn.v_proj.weight"),
        ("is for shape [16, 16], the base's", "has [8, 16]"),
    ),
    "a matrix saved and adapted": (
        {"modules_to_save": ["q_proj"]},
        added(f"{MODULE}.weight"),
        (f"'{MODULE}' has factors", "modules_to_save"),
    ),
    "a module that is saved by a name with a dot": (
        {"modules_to_save": ["q.proj"]},  # for PEFT, any character
        None,
        (f"'{MODULE}' has factors",),
    ),
    "a pattern of saved modules": (
        {"modules_to_save": ["(q|k)_proj"]},
        None,
        ("modules_to_save: '(q|k)_proj': fpcheck does not run patterns from a file",),
    ),
    "saved modules without end": (
        {"modules_to_save": ["x"] * 101},
        None,
        ("modules_to_save: expected at most 100 names",),
    ),
    "an excluded module": (
        {"exclude_modules": ["k_proj", "self_attn.q_proj"]},
        None,
        (f"'{MODULE}' has factors", "exclude_modules", "PEFT would ignore them"),
    ),
    "a module that a pattern of names excludes": (
        {"exclude_modules": r".*\.(k_proj|q_proj)"},
        None,
        (f"'{MODULE}' has factors",),
    ),
    "a pattern that excludes": (
        {"exclude_modules": "(a+)+"},
        None,
        (
            "exclude_modules: '(a+)+': fpcheck does not run patterns from a file",
            "merge it with PEFT, and check the merged model",
        ),
    ),
    "a pattern of targets": (
        {"target_modules": r".*layers\.[0-2]\..*_proj"},
        None,
        ("target_modules: '.*layers", "fpcheck does not run patterns from a file"),
    ),
    "a name of targets that must be the whole": (
        {"target_modules": "q_proj"},
        None,
        (f"'{MODULE}' has factors",),
    ),
    "names of targets of which one must be the whole": (
        {"target_modules": ".*k_proj|q_proj"},
        None,
        (f"'{MODULE}' has factors",),
    ),
    "no targets": ({"target_modules": None}, None, ("target_modules: not there", "own tables")),
    "targets that are no names": ({"target_modules": {"q_proj": 1}}, None, ("expected names",)),
    "excluded numbers": ({"exclude_modules": [1]}, None, ("exclude_modules: expected names",)),
    "layers beside a pattern": (
        {"target_modules": "all-linear", "layers_to_transform": [2]},
        None,
        ("layers_to_transform: expected none beside a pattern",),
    ),
    "a layer of the stack that PEFT finds first": (
        {"layers_to_transform": [2], "layers_pattern": ["self_attn", "layers"]},
        renamed("model.layers.2.self_attn.0.q_proj"),
        ("'model.layers.2.self_attn.0.q_proj' has factors",),
    ),
    "a bias that is not announced": (
        {},
        added(f"{MODULE}.bias", np.ones(16, "<f4")),
        ("is no part of a LoRA",),
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_it_is_refused(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings, change, words = BAD[name]
    base = write_base(tmp_path / "base", a_llama())
    adapter = write_adapter(tmp_path / "adapter", given(change), **settings)

    assert main(["check", str(adapter), "--base", str(base)]) == 3

    error = capsys.readouterr().err
    assert len(error.splitlines()) == 2, "one line what, one line what to do"
    for word in words:
        assert word in error


def test_without_its_base_it_is_recognised_and_not_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = "::error::x\n##[set-output]\x1b[31m" + "y" * 10_000
    adapter = write_adapter(tmp_path, given(), base_model_name_or_path=hostile)

    for command in ("check", "fingerprint"):
        assert main([command, str(adapter)]) == 3

        error = capsys.readouterr().err
        what, to_do = error.splitlines()
        assert "an adapter of ': :error: :x" in what
        assert "no attention matrices" in what
        assert "--base PATH_OR_ID" in to_do
        assert "##[" not in error
        assert "\x1b" not in error
        assert len(what) < 600


@pytest.mark.parametrize("value", [None, 7, "", ["a"]])
def test_a_base_that_is_not_named_is_no_defect(
    value: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adapter = write_adapter(tmp_path, given(), base_model_name_or_path=value)

    assert main(["check", str(adapter)]) == 3
    assert "an adapter of a base it does not name" in capsys.readouterr().err


@pytest.mark.parametrize("with_base", [True, False])
def test_weights_without_settings_are_refused(
    with_base: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = write_base(tmp_path / "base", a_llama())
    adapter = write_adapter(tmp_path / "adapter", given())
    (adapter / "adapter_config.json").unlink()

    assert main(["check", str(adapter), *(["--base", str(base)] if with_base else [])]) == 3
    assert "no adapter_config.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"{", "adapter_config.json: not JSON"),
        (b"[]", "adapter_config.json: expected a JSON object"),
        (b'{"r": 4, "r": 8}', "stands twice"),
        (b" " * 1_000_001, "more than the 1,000,000"),
    ],
)
def test_settings_that_are_no_json_are_refused(
    content: bytes, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adapter = write_adapter(tmp_path, given())
    (adapter / "adapter_config.json").write_bytes(content)

    assert main(["check", str(adapter)]) == 3
    assert word in capsys.readouterr().err


@pytest.mark.parametrize("with_base", [True, False])
def test_a_pickled_adapter_is_refused(
    with_base: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = write_base(tmp_path / "base", a_llama())
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_model.bin").write_bytes(b"\x80\x04.")
    (adapter / "adapter_config.json").write_text(json.dumps(adapter_config()))

    assert main(["check", str(adapter), *(["--base", str(base)] if with_base else [])]) == 3
    assert with_base <= ("a PEFT adapter in a pickle" in capsys.readouterr().err)


def test_a_base_is_for_adapters_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "one", llama())
    write(tmp_path / "two", llama())

    assert main(["check", str(tmp_path / "one"), "--base", str(tmp_path / "two")]) == 2
    assert "no adapter" in capsys.readouterr().err


def test_an_adapter_is_no_base(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_adapter(tmp_path / "one", given())
    write_adapter(tmp_path / "two", given())

    assert main(["check", str(tmp_path / "one"), "--base", str(tmp_path / "two")]) == 3
    assert f"{tmp_path / 'two'}: an adapter of" in capsys.readouterr().err


def test_a_base_that_is_not_there_is_the_users_mistake(tmp_path: Path) -> None:
    write_adapter(tmp_path / "one", given())

    assert main(["check", str(tmp_path / "one"), "--base", str(tmp_path / "nowhere")]) == 2


def test_dora_is_refused_where_rows_are_no_outputs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = a_gpt2()
    tensors = factors(base, {"transformer.h.1.attn.c_attn": 4}, turned=True, dora=True)
    write_base(tmp_path / "base", base)
    adapter = write_adapter(tmp_path / "adapter", tensors, use_dora=True, target_modules=["c_attn"])

    assert main(["check", str(adapter), "--base", str(tmp_path / "base")]) == 3
    assert "stored inputs × outputs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"merges_twice": True}, "'merges_twice': not known to this version: ignored"),
    ],
)
def test_what_is_not_followed_is_said(
    settings: dict[str, Any], word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = write_base(tmp_path / "base", a_llama())
    adapter = write_adapter(tmp_path / "adapter", given(), **settings)

    main(["check", str(adapter), "--base", str(base), "--format", "json"])

    report = json.loads(capsys.readouterr().out)
    assert any(word in reason for reason in report["signature"]["unmeasured"])
    assert report["outcome"] == "warn"


@pytest.mark.parametrize(
    "settings",
    [
        {"target_modules": "All-Linear"},
        {"target_modules": ".*q_proj"},
        {"target_modules": r".*\.(?:k_proj|q_proj)"},
        {"target_modules": r".*k_proj|.*self_attn\.q_proj"},
        {"target_modules": r"model\.layers\.2\.self_attn\.q_proj"},
        {"target_modules": [MODULE], "layers_to_transform": [0]},
        {"exclude_modules": ["k_proj", "proj", "layers.2"]},
        {"exclude_modules": "q_proj"},
        {"exclude_modules": r".*(k_proj|q)"},
        {"exclude_modules": ""},
        {"modules_to_save": ["proj", "model.layer"]},
    ],
)
def test_what_peft_adapts_is_merged_without_a_word(
    settings: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = write_base(tmp_path / "base", a_llama())
    adapter = write_adapter(tmp_path / "adapter", given(), **settings)

    main(["check", str(adapter), "--base", str(base), "--format", "json"])

    assert not json.loads(capsys.readouterr().out)["signature"]["unmeasured"]


PATTERNS = (
    *("q_proj", ".*q_proj", r".*\.q_proj", r".*\.(q_proj|k)", "(q_proj|.k)", r"\.(q_proj|k)"),
    *("a.q_proj", ".*(?:q_proj|k-2)", "q_proj|.*k", r"a\.q_proj", r".*a\.q_proj|k", ".*", ""),
    *("(?i)Q_PROJ", "(.*q_proj)", "q_proj|", ".*.q_proj", "(q_proj", "q_proj)", "(?!q)k", ".*()"),
)
NAMES = ("q_proj", "a.q_proj", "aq_proj", "a\nb.q_proj", "k", ".k", "a.k", "k-2", "q_proj.k", "a.b")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_that_is_followed_means_what_it_does_to_python(pattern: str) -> None:
    try:
        found = modules({"target_modules": pattern})
    except CheckError:
        return

    expected = [bool(re.fullmatch(pattern, name)) for name in NAMES]
    assert [found.adapts(name) for name in NAMES] == expected


def test_a_pattern_without_end_is_refused_at_once() -> None:
    with pytest.raises(CheckError, match="does not run patterns"):
        modules({"target_modules": ".*(" + "a|" * 1_000 + "a)"})


@pytest.mark.parametrize("kind", ["LOHA", "IA3", "PROMPT_TUNING"])
def test_what_cannot_be_merged_is_told_before_a_base_is_asked_for(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adapter = write_adapter(tmp_path, given(), peft_type=kind)

    assert main(["check", str(adapter)]) == 3

    error = capsys.readouterr().err
    assert f"peft_type: {'' if kind == 'PROMPT_TUNING' else chr(39)}{kind}" in error
    assert "--base" not in error


def test_a_pickle_that_peft_loads_instead_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = write_base(tmp_path / "base", a_llama())
    adapter = write_adapter(tmp_path / "adapter", given())
    file = adapter / "adapter_model.safetensors"
    file.rename(adapter / "adapter_model-00001-of-00001.safetensors")
    (adapter / "adapter_model.bin").touch()

    assert main(["check", str(adapter), "--base", str(base)]) == 3
    assert "adapter_model.bin is what PEFT loads" in capsys.readouterr().err
