"""`fpcheck layouts record` writes headers that pass as tests: they are read as they were before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpcheck.cli import main
from fpcheck.explain.noted import Noted
from tests import test_layouts
from tests.checkpoints import llama, write
from tests.encodings import integers
from tests.explain.test_explain import CONFIG, fused, gptq
from tests.test_layouts import HEADERS

RECORDED = "recorded.json"


def record(folder: Path, *options: str) -> Any:
    output = folder / RECORDED
    assert main(["layouts", "record", str(folder), "-o", str(output), *options]) == 0
    return json.loads(output.read_text())


def holds(header: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks that every recorded header has to pass."""
    monkeypatch.setitem(HEADERS, RECORDED, header)
    test_layouts.test_a_recorded_header_is_read_as_its_architecture_says(RECORDED, folder)
    test_layouts.test_a_header_tells_right_from_wrong(RECORDED)


@pytest.mark.parametrize("name", list(HEADERS))
def test_what_is_recorded_passes_as_a_header(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every layout: fused per head, Conv1D, low-rank, gated, linear, shared, cross-attention."""
    known = HEADERS[name]
    write(tmp_path / "model", test_layouts.filled(known), known["config"])

    options = ("--tower", known["tower"], "--layers", "99")
    header = record(tmp_path / "model", *options, "--slices", str(known["layer"]))

    assert (header["tower"], header["layers"]) == (known["tower"], known["layers"])
    assert header["slices"].items() >= known["slices"].items()
    holds(header, tmp_path / "again", monkeypatch)


@pytest.mark.parametrize("name", list(HEADERS))
def test_some_layer_is_recorded_as_of_each_layout(name: str, tmp_path: Path) -> None:
    known = HEADERS[name]
    write(tmp_path, test_layouts.filled(known), known["config"])

    options = ("--tower", known["tower"], "--layers", "99", "--slices")
    headers = (record(tmp_path, *options, str(layer)) for layer in known["layers"])

    assert any(header["layout"] == known["layout"] for header in headers)


def test_the_first_layers_of_each_stack_are_kept(tmp_path: Path) -> None:
    more = {
        f"model.layers.{layer}.mlp.experts.{expert}.up.weight": np.ones((2, 2), "<f4")
        for layer in range(10)
        for expert in range(20)
    }
    write(tmp_path, llama() | llama(prefix="vision.layers") | more)

    header = record(tmp_path, "--layers", "2")

    layers = {name.split("layers.")[1][0] for name in header["tensors"]}
    assert layers == {"0", "1"}
    assert header["layers"] == [0, 1]
    assert sum("experts" in name for name in header["tensors"]) == 4
    assert {name.split(".")[0] for name in header["tensors"]} == {"model", "vision"}


def test_a_tower_that_begins_late_keeps_its_first_layers(tmp_path: Path) -> None:
    late = {n: t for n, t in llama().items() if not any(f".{i}.self" in n for i in range(6))}
    write(tmp_path, late)

    assert record(tmp_path, "--layers", "2")["layers"] == [6, 7]


def test_the_texts_tower_is_recorded_unless_another_is_named(tmp_path: Path) -> None:
    write(tmp_path, llama() | llama(width=32, prefix="vision.layers"))

    assert record(tmp_path)["tower"] == "model.layers"
    assert record(tmp_path, "--tower", "vision.layers")["tower"] == "vision.layers"
    assert main(["layouts", "record", str(tmp_path), "--tower", "x"]) == 2


def test_codes_are_recorded_as_what_they_stand_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    integers.write(tmp_path, gptq(), CONFIG)

    header = record(tmp_path)

    assert header["tensors"]["model.layers.0.self_attn.q_proj.weight"] == [
        "GPTQ, 4 bits",
        [64, 64],
    ]
    assert "quantization_config" not in header["config"]
    holds(header, tmp_path / "again", monkeypatch)


@pytest.mark.parametrize(
    ("tensors", "config", "words"),
    [
        (fused(), {"model_type": "new"}, "does not settle how it is packed"),
        ({"a.weight": np.ones((2, 2), "<f4")}, {}, "no attention was found"),
        (
            {n: t.astype("<i4") for n, t in llama().items()},
            {"quantization_config": {"quant_method": "aqlm"}},
            "quantised by 'aqlm'",
        ),
    ],
)
def test_what_would_be_no_test_is_refused(
    tensors: dict[str, np.ndarray],
    config: dict[str, Any],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    integers.write(tmp_path, tensors, config)

    assert main(["layouts", "record", str(tmp_path)]) == 3
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    "options", [["--layers", "0"], ["--layers", "x"], ["-o", ".."], ["--slices", "3"]]
)
def test_wrong_options_are_wrong_input(options: list[str], tmp_path: Path) -> None:
    write(tmp_path, llama())
    try:
        code = main(["layouts", "record", str(tmp_path), *options])
    except SystemExit as stopped:
        code = int(stopped.code or 0)

    assert code == 2


def test_a_header_says_what_is_still_to_be_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, llama())

    assert main(["layouts", "record", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert "the architecture's own code before you commit" in json.loads(printed.out)["check"]
    assert "the architecture's own code before you commit" in printed.err


@pytest.mark.parametrize("name", HEADERS)
def test_no_header_is_kept_unchecked(name: str) -> None:
    """Hold its slices against the architecture's own code, then remove the line "check"."""
    assert "check" not in HEADERS[name]


def test_hostile_names_are_inert_in_what_is_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tensors = {f"::a##[b]\x1b\u202e.{name}": tensor for name, tensor in llama().items()}
    write(tmp_path, tensors)

    assert main(["layouts", "record", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert text.isascii()
    assert "##[" not in text
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())


def test_only_what_was_asked_for_is_kept_of_a_config() -> None:
    config = Noted({"a": 1, "b": 2, "text_config": {"c": [1, 2], "d": {}, "n_head": 3}, "e": None})

    assert config.get("a") == 1
    assert config.get("absent") is None
    assert config.get("e") is None
    assert config["text_config"]["c"] == [1, 2]
    assert config.kept() == {"a": 1, "text_config": {"c": [1, 2], "n_head": 3}}


@pytest.mark.parametrize("ask", ["keys", "values", "items", "__iter__"])
def test_whoever_goes_through_a_config_asks_for_all_of_it(ask: str) -> None:
    config = Noted({"a": 1, "b": {"c": 2}})

    getattr(config, ask)()

    assert config.kept() == {"a": 1, "b": {}}


def test_a_key_that_is_only_looked_for_is_kept() -> None:
    config = Noted({"a": 1, "b": 2})

    assert "a" in config
    assert config.kept() == {"a": 1}
