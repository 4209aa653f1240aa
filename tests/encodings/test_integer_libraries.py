"""Codes that the formats' own libraries wrote decode to what those libraries read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from fpcheck.checkpoint import read_checkpoint
from fpcheck.encodings import SCHEMES, decoded
from tests.encodings.integers import values
from tests.memory_source import MemorySource

CASES = sorted((Path(__file__).parent / "data" / "integers").glob("*.safetensors"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_values_are_those_of_the_library(path: Path) -> None:
    with safe_open(path, "numpy") as file:
        said, expected = file.metadata()["quantization_config"], file.get_tensor("expected")
    config = json.dumps({"model_type": "llama", "quantization_config": json.loads(said)})
    files = {"config.json": config.encode(), "model.safetensors": path.read_bytes()}
    checkpoint = read_checkpoint(MemorySource(files))

    found, faults = decoded(checkpoint)

    assert faults == ()
    assert set(found.tensors) == {"m.weight", "expected"}
    assert np.array_equal(values(found, "m.weight"), expected)
    assert sum(bool(scheme(checkpoint).used) for scheme in SCHEMES.values()) == 1


def test_every_scheme_of_integers_has_a_case() -> None:
    assert {path.stem.split("_")[0] for path in CASES} == {"gptq", "awq", "packed", "int8"}
