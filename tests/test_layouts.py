"""Every row of the layout table, on recorded headers: names and shapes, filled with known numbers.

A header says which elements feed each role in one of its layers: derived from the architectures'
own code where it is to be had, else written by hand from their description, never from the table.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpcheck.attention import Attention, Tower, find_attention
from fpcheck.checkpoint import read_checkpoint
from fpcheck.layouts import LAYOUTS, Holds, Role
from fpcheck.signature import TowerProfile
from fpcheck.signature.measure import measure
from fpcheck.source.local import LocalSource
from tests.checkpoints import write

HEADERS = {
    path.stem: json.loads(path.read_text())
    for path in sorted((Path(__file__).parent / "headers").glob("*.json"))
}


def filled(header: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Values whose spread differs along every axis, so that no wrong split gives a right number."""
    random = np.random.default_rng(7)
    found = {}
    for name, (_, shape) in header["tensors"].items():
        values = random.normal(size=shape)
        for axis, size in enumerate(shape):
            spread = np.exp(random.normal(size=size))
            values *= spread.reshape([-1 if i == axis else 1 for i in range(len(shape))])
        found[name] = values.astype("<f4")
    return found


def true_spread(
    tensors: Mapping[str, np.ndarray], slices: Mapping[str, list[Any] | None]
) -> tuple[float, int]:
    """The standard deviation of the elements that some slices name, and their number."""
    parts = []
    for name, slice_ in slices.items():
        axis, ranges = slice_ or (0, [[0, len(tensors[name])]])
        chosen = np.concatenate([np.arange(*range_) for range_ in ranges])
        parts.append(np.take(tensors[name], chosen, axis=axis).astype(np.float64).reshape(-1))
    values = np.concatenate(parts)
    return float(values.std()), values.size


def measured(folder: Path) -> tuple[Attention, tuple[TowerProfile, ...]]:
    with LocalSource(str(folder)) as source:
        checkpoint = read_checkpoint(source)
        attention = find_attention(checkpoint)
        return attention, measure(checkpoint, attention)


def tower_of(attention: Attention, header: Mapping[str, Any]) -> tuple[int, Tower]:
    found = {tower.name: (place, tower) for place, tower in enumerate(attention.towers)}
    return found[header["tower"]]


@pytest.mark.parametrize("name", HEADERS)
def test_a_recorded_header_is_read_as_its_architecture_says(name: str, tmp_path: Path) -> None:
    header = HEADERS[name]
    tensors = filled(header)
    write(tmp_path, tensors, header["config"])

    attention, profiles = measured(tmp_path)

    place, tower = tower_of(attention, header)
    assert header["layout"] in tower.layout.split(" + ")
    assert list(tower.layers) == header["layers"]
    at = header["layers"].index(header["layer"])
    for role, slices in header["slices"].items():
        std, count = true_spread(tensors, slices)
        moments = profiles[place].roles[Role(role)][at]
        assert moments is not None
        assert (moments.count, moments.std) == (count, pytest.approx(std, rel=1e-6)), role
    assert not [note for note in attention.notes if "pooled" in note]


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_tells_right_from_wrong(name: str) -> None:
    """Each role's elements differ in spread from all that a tensor of the role holds."""
    header = HEADERS[name]
    tensors = filled(header)
    for slices in header["slices"].values():
        for tensor, slice_ in slices.items():
            if slice_:
                whole, _ = true_spread(tensors, {tensor: None})
                part, _ = true_spread(tensors, {tensor: slice_})
                assert not math.isclose(whole, part, rel_tol=1e-3), tensor


def test_every_row_has_a_header() -> None:
    assert {header["layout"] for header in HEADERS.values()} == {row.name for row in LAYOUTS}


def test_no_two_rows_share_a_name() -> None:
    assert len({row.name for row in LAYOUTS}) == len(LAYOUTS)


def test_no_added_tensor_makes_a_block_of_another_layout() -> None:
    """Else a decoy that no loader reads would change what is taken for q, k and v."""
    for small in LAYOUTS:
        for large in LAYOUTS:
            if small.required < large.required and large.settled and not large.module:
                changed = {n for n in small.required if small.leaves[n] != large.leaves[n]}
                shares = Holds.K_IS_V in small.leaves.values()  # tested where layers are told apart
                assert not changed or shares, f"{small.name} and more is {large.name}"
