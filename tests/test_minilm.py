"""What is true of a real model: all-MiniLM-L6-v2, as released."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from fpcheck.cli import main
from tests.data_folders import ROOT, minilm

NAMES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "o": "attention.output.dense",
}


@pytest.fixture(scope="module")
def folder() -> Path:
    return minilm()


def report(folder: Path, policy: str, capsys: pytest.CaptureFixture[str]) -> Mapping[str, Any]:
    config = str(ROOT / "examples" / policy)
    code = main(["check", str(folder), "--config", config, "--format", "json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["exit_code"] == code
    return found


def test_the_profile_is_the_one_that_numpy_computes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["fingerprint", str(folder), "--no-digest"])
    (tower,) = json.loads(capsys.readouterr().out)["towers"]
    weights = load_file(folder / "model.safetensors")
    for role, name in NAMES.items():
        for layer in range(6):
            matrix = weights[f"encoder.layer.{layer}.{name}.weight"].astype(np.float64)
            assert tower["roles"][role]["count"][layer] == matrix.size
            assert tower["roles"][role]["mean"][layer] == pytest.approx(matrix.mean(), rel=1e-7)
            assert tower["roles"][role]["std"][layer] == pytest.approx(matrix.std(), rel=1e-7)


def test_the_published_figures_agree_to_their_printed_digits(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["fingerprint", str(folder), "--no-digest"])
    (tower,) = json.loads(capsys.readouterr().out)["towers"]
    file = ROOT / "reference_signatures/sentence-transformers/all-MiniLM-L6-v2.figures.json"
    (published,) = json.loads(file.read_text())["signature"]["towers"]
    for role in NAMES:
        for ours, theirs in zip(
            tower["roles"][role]["std"], published["roles"][role]["std"], strict=True
        ):
            assert ours == pytest.approx(theirs, abs=5.1e-4)


def test_relatives_come_in_order_and_strangers_fall_when_the_trend_is_removed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = report(folder, "fpcheck.yml", capsys)
    best = {match["file"]: match["profile"] for match in found["matches"]}

    assert [match["reference"] for match in found["matches"][:4]] == [
        "sentence-transformers/all-MiniLM-L6-v2",
        "sentence-transformers/all-MiniLM-L6-v2",
        "sentence-transformers/all-MiniLM-L6-v1",
        "nreimers/MiniLM-L6-H384-uncased",
    ]
    v2 = best["sentence-transformers/all-MiniLM-L6-v2.figures.json"]
    assert v2["raw"] == pytest.approx(0.999, abs=5e-4)
    v1 = best["sentence-transformers/all-MiniLM-L6-v1.figures.json"]
    assert v1["raw"] == pytest.approx(0.998, abs=5e-4)
    base = best["nreimers/MiniLM-L6-H384-uncased.figures.json"]
    assert base["raw"] == pytest.approx(0.914, abs=5e-4)
    stranger = best["huggyllama/llama-13b.figures.json"]
    assert stranger["raw"] == pytest.approx(0.883, abs=5e-4)
    assert stranger["detrended"] == pytest.approx(0.579, abs=5e-4)


@pytest.mark.parametrize(
    ("policy", "code"), [("fpcheck.yml", 0), ("undeclared.yml", 1), ("base-only.yml", 1)]
)
def test_the_three_runs_of_the_readme(
    policy: str, code: int, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = report(folder, policy, capsys)

    assert found["exit_code"] == code
    assert found["level"] == "identical"
    assert (found["outcome"] == "pass") == (code == 0)
