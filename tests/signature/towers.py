"""Checkpoints in memory whose one tower has given pieces, and numpy's word for what is in them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fpcheck.attention import Attention, Piece, Tower
from fpcheck.checkpoint import read_checkpoint
from fpcheck.layouts import Kind, Role
from fpcheck.packing import Pattern
from fpcheck.signature import TowerProfile
from fpcheck.signature.decode import Doubles, Stored
from fpcheck.signature.measure import measure
from fpcheck.source import Source
from tests.checkpoints import framed
from tests.memory_source import MemorySource
from tests.signature.samples import worths

FILE = "model.safetensors"


@dataclass(frozen=True)
class Sample:
    """One tensor: its dtype, its elements, how roles lie in them, and in which layer it is."""

    dtype: str
    elements: Stored
    pattern: Pattern
    layer: int = 0


def name(place: int) -> str:
    """What the tensor at that place is called."""
    return f"tensor.{place}"


def content(samples: Sequence[Sample], gap: int = 0) -> bytes:
    """A safetensors file of the samples in order, with a tensor of `gap` bytes after each."""
    header: dict[str, Any] = {}
    data = bytearray()
    for place, sample in enumerate(samples):
        for tensor, dtype, shape, part in (
            (name(place), sample.dtype, sample.elements.shape, sample.elements.tobytes()),
            (f"gap.{place}", "U8", (gap,), bytes(gap)),
        ):
            ends = [len(data), len(data) + len(part)]
            header[tensor] = {"dtype": dtype, "shape": shape, "data_offsets": ends}
            data += part
    return framed(json.dumps(header).encode(), bytes(data))


def profile(
    samples: Sequence[Sample], source: Source | None = None, **options: Any
) -> TowerProfile:
    """What is measured of the samples, as the pieces of one tower."""
    source = source or MemorySource({FILE: content(samples)})
    checkpoint = read_checkpoint(source)
    layers: dict[int, tuple[Piece, ...]] = defaultdict(tuple)
    for place, sample in enumerate(samples):
        layers[sample.layer] += (Piece(checkpoint.tensors[name(place)], sample.pattern),)
    attention = Attention((Tower("a tower", "a layout", Kind.SELF, layers),), (), ())
    (found,) = measure(checkpoint, attention, **options)
    return found


def truth(samples: Sequence[Sample]) -> dict[tuple[int, Role], Doubles]:
    """The values of each role in each layer."""
    values: dict[tuple[int, Role], list[Doubles]] = defaultdict(list)
    for sample in samples:
        rows = worths(sample.elements, sample.dtype).reshape(sample.pattern.repeats, -1)
        end = 0
        for role, length in sample.pattern.sequence:
            end += length
            values[sample.layer, role].append(rows[:, end - length : end].ravel())
    return {key: np.concatenate(parts) for key, parts in values.items()}
