"""Every row of the layout table, on a recorded header: names and shapes, no weights."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fpcheck.attention import find_attention
from fpcheck.checkpoint import read_checkpoint
from fpcheck.layouts import LAYOUTS, MATRICES
from tests.checkpoints import framed
from tests.memory_source import MemorySource

HEADERS = {
    header["layout"]: header
    for header in (
        json.loads(path.read_text())
        for path in sorted((Path(__file__).parent / "headers").glob("*.json"))
    )
}
BYTES = {"BF16": 2, "F16": 2, "F32": 4, "BOOL": 1}


def checkpoint(header: dict[str, Any]) -> MemorySource:
    """A checkpoint of these names and shapes whose weights are all zero."""
    entries, end = {}, 0
    for name, (dtype, shape) in header["tensors"].items():
        start, end = end, end + math.prod(shape) * BYTES[dtype]
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    return MemorySource(
        {
            "config.json": json.dumps(header["config"]).encode(),
            "model.safetensors": framed(json.dumps(entries).encode(), bytes(end)),
        }
    )


@pytest.mark.parametrize("layout", [row.name for row in LAYOUTS])
def test_a_row_reads_its_recorded_header(layout: str) -> None:
    header = HEADERS[layout]

    attention = find_attention(read_checkpoint(checkpoint(header)))

    (tower,) = [tower for tower in attention.towers if tower.layout == layout][:1]
    assert tower.name == header["tower"]
    assert len(tower.layers) == header["layers"]
    counts: Counter[str] = Counter()
    for piece in tower.layers[0]:
        for role, length in piece.pattern.sequence:
            counts[role] += length * piece.pattern.repeats
    assert {role: counts[role] for role in MATRICES if counts[role]} == header["roles"]
    assert not attention.notes


def test_no_header_is_left_over() -> None:
    assert set(HEADERS) == {row.name for row in LAYOUTS}
