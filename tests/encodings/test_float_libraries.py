"""Codes that the formats' own libraries wrote, and the values that they read from them."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from fpcheck.checkpoint import read_checkpoint
from fpcheck.source import read
from fpcheck.source.local import LocalSource
from tests.encodings.floats import decode, values

DATA = Path(__file__).parent / "data/floats"
CASES = sorted(p.stem for p in DATA.glob("*.safetensors") if not p.stem.endswith(".expected"))
NAME = "model.layers.0.self_attn.q_proj.weight"


def metadata(file: Path) -> dict[str, str]:
    """What a safetensors file says of itself."""
    content = file.read_bytes()
    (length,) = struct.unpack_from("<Q", content)
    return json.loads(content[8 : 8 + length])["__metadata__"]


@pytest.mark.parametrize("case", CASES)
def test_values_are_bit_for_bit_those_of_the_library(case: str, tmp_path: Path) -> None:
    stored = DATA / f"{case}.safetensors"
    (tmp_path / "model.safetensors").write_bytes(stored.read_bytes())
    (tmp_path / "config.json").write_text(metadata(stored)["config"])
    expected = read_checkpoint(LocalSource(DATA / f"{case}.expected.safetensors"))
    tensor = expected.tensors[NAME]
    content = read(expected.source, tensor.file, tensor.start, tensor.stop)

    checkpoint, faults = decode(tmp_path)

    assert faults == ()
    assert list(checkpoint.tensors) == [NAME]
    assert checkpoint.tensors[NAME].shape == tensor.shape
    wanted = np.frombuffer(content, "<f4").reshape(tensor.shape)
    np.testing.assert_array_equal(values(checkpoint, NAME).astype(np.float32), wanted)


def test_there_are_cases() -> None:
    assert len(CASES) >= 16
