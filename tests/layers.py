"""Recorded layers of many architectures, with what their own code feeds and computes with.

Names and shapes are those of files that transformers 5.23 saved; which norm feeds attention, what
gate, up and down are, and whether a gain is stored less one was found by running the models.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fpcheck.attention import Tower, find_attention
from fpcheck.checkpoint import Checkpoint, read_checkpoint
from fpcheck.source.local import LocalSource
from tests.checkpoints import write

LAYERS: Mapping[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text())


@contextmanager
def opened(
    folder: Path, shapes: Mapping[str, tuple[int, ...]], config: Mapping[str, Any] | None = None
) -> Iterator[Checkpoint]:
    """A written checkpoint of zeros."""
    write(folder, {name: np.zeros(shape, "<f4") for name, shape in shapes.items()}, config)
    with LocalSource(str(folder)) as source:
        yield read_checkpoint(source)


@contextmanager
def recorded(folder: Path, name: str) -> Iterator[tuple[Checkpoint, Tower]]:
    """The recorded layers of an architecture, and their tower."""
    with opened(folder, LAYERS[name]["tensors"], LAYERS[name]["config"]) as checkpoint:
        yield checkpoint, tower(checkpoint, LAYERS[name]["tower"])


def tower(checkpoint: Checkpoint, name: str = "model.layers") -> Tower:
    """A tower of a checkpoint by name."""
    return next(one for one in find_attention(checkpoint).towers if one.name == name)


def attention(
    prefix: str = "model.layers.0.self_attn", width: int = 16
) -> dict[str, tuple[int, ...]]:
    """The shapes of one layer's attention."""
    return {f"{prefix}.{leaf}_proj.weight": (width, width) for leaf in "qkvo"}
