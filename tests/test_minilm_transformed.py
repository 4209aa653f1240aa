"""A real model whose weights were changed without changing, or hardly, what it does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from fpcheck.cli import main
from tests.data_folders import ROOT, minilm

LAYERS, HEADS, WIDTH, HEAD = 6, 12, 384, 32
HIDDEN = 4 * WIDTH
ID = "sentence-transformers/all-MiniLM-L6-v2"

Weights = dict[str, NDArray[Any]]


@pytest.fixture(scope="module")
def weights() -> Weights:
    found: Weights = load_file(minilm() / "model.safetensors")
    return found


def level(weights: Weights, folder: Path, capsys: pytest.CaptureFixture[str]) -> Mapping[str, Any]:
    """The match of the model that the weights came from, and the exit code."""
    for name in ("config.json", "tokenizer.json"):
        shutil.copy(minilm() / name, folder / name)
    save_file(
        {k: np.ascontiguousarray(v) for k, v in weights.items()}, folder / "model.safetensors"
    )
    config = str(ROOT / "examples/undeclared.yml")
    code = main(["check", str(folder), "--config", config, "--format", "json"])
    report = json.loads(capsys.readouterr().out)
    found = next(m for m in report["matches"] if m["file"] == f"{ID}.json")
    return {**found, "exit_code": code}


def rotated(weights: Weights, turn: NDArray[np.float64]) -> Weights:
    """The residual stream in another basis, the gains of norms folded into what they feed."""
    found, ones = dict(weights), np.ones(WIDTH, np.float32)
    for name in ("word", "position", "token_type"):
        key = f"embeddings.{name}_embeddings.weight"
        found[key] = (weights[key] @ turn).astype(np.float32)
    before = "embeddings.LayerNorm"
    for layer in range(LAYERS):
        own = f"encoder.layer.{layer}."
        after = own + "attention.output.LayerNorm"
        for leaf, norm in (
            ("attention.self.query", before),
            ("attention.self.key", before),
            ("attention.self.value", before),
            ("intermediate.dense", after),
        ):
            matrix = weights[f"{own}{leaf}.weight"] * weights[f"{norm}.weight"]
            found[f"{own}{leaf}.weight"] = (matrix @ turn).astype(np.float32)
        for leaf in ("attention.output.dense", "output.dense"):
            found[f"{own}{leaf}.weight"] = (turn.T @ weights[f"{own}{leaf}.weight"]).astype("f4")
        found[f"{before}.weight"] = found[f"{after}.weight"] = ones
        before = own + "output.LayerNorm"
    found[f"{before}.weight"] = ones
    return found


def permuted(weights: Weights, random: np.random.Generator) -> Weights:
    """Heads, feed-forward neurons and the residual stream's units in another order."""
    found, units = dict(weights), random.permutation(WIDTH)
    for key, value in weights.items():
        if value.shape and value.shape[-1] == WIDTH:
            found[key] = value[..., units]
    for layer in range(LAYERS):
        own = f"encoder.layer.{layer}."
        heads = (random.permutation(HEADS)[:, None] * HEAD + np.arange(HEAD)).reshape(-1)
        neurons = random.permutation(HIDDEN)
        for role in ("query", "key", "value"):
            for kind in ("weight", "bias"):
                key = f"{own}attention.self.{role}.{kind}"
                columns = weights[key] if kind == "bias" else weights[key][:, units]
                found[key] = columns[heads]
        out, down = f"{own}attention.output.dense.weight", f"{own}output.dense.weight"
        found[out] = weights[out][units][:, heads]
        found[down] = weights[down][units][:, neurons]
        up = f"{own}intermediate.dense"
        found[f"{up}.weight"] = weights[f"{up}.weight"][neurons][:, units]
        found[f"{up}.bias"] = weights[f"{up}.bias"][neurons]
    return found


def turn() -> NDArray[np.float64]:
    q, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((WIDTH, WIDTH)))
    return q


def test_rotated_with_folded_norms(
    weights: Weights, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = level(rotated(weights, turn()), tmp_path, capsys)

    assert found["level"] == "derived-transformed"
    assert found["exit_code"] == 1
    assert found["profile"]["raw"] < 0.95  # which the profile alone no longer sees


def test_heads_and_units_permuted(
    weights: Weights, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = permuted(weights, np.random.default_rng(2))
    for key, value in changed.items():
        if value.ndim == 2:  # hardly trained on: otherwise every statistic would be the same still
            changed[key] = (value * 1.001).astype(np.float32)
    found = level(changed, tmp_path, capsys)

    assert found["level"] == "derived-transformed"
    assert found["exit_code"] == 1


def test_noise_and_pruning(
    weights: Weights, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random, changed = np.random.default_rng(3), dict(weights)
    for key, value in weights.items():
        if value.ndim == 2 and key.startswith("encoder"):
            noisy = value + 0.3 * value.std() * random.standard_normal(value.shape)
            changed[key] = np.where(abs(value) < np.median(abs(value)), 0, noisy).astype("f4")
    found = level(changed, tmp_path, capsys)

    assert found["level"] == "derived"
    assert found["exit_code"] == 1


def test_a_cast_is_identical(
    weights: Weights, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half = {k: v.astype(np.float16) if v.dtype == np.float32 else v for k, v in weights.items()}
    found = level(half, tmp_path, capsys)

    assert found["level"] == "identical"
    assert found["exit_code"] == 1


def test_new_weights_of_the_same_shape_are_a_stranger(
    weights: Weights, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing in common but every matrix's mean and spread: the same profile."""
    random, changed = np.random.default_rng(4), dict(weights)
    for key, value in weights.items():
        if value.ndim == 2:
            drawn = random.normal(value.mean(), value.std(), value.shape)
            changed[key] = drawn.astype(np.float32)
    found = level(changed, tmp_path, capsys)

    assert found["level"] == "resembles"
    assert found["weights"][0]["samples"]["hits"] == 0
    assert found["exit_code"] == 0
