"""Layers left out, kept apart, or repeated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from benchmarks.lineage.canonical import Model

Choice = Callable[[int], Sequence[int]]


def layers_chosen(choice: Choice) -> Callable[[Model, torch.Generator], Model]:
    """A derivation whose layers are the parent's of these numbers, in this order."""

    def derive(model: Model, random: torch.Generator) -> Model:
        chosen = choice(len(model.layers))
        config, lineage = dict(model.config), model.lineage | {"parent_layers": list(chosen)}
        if kinds := config.get("layer_types"):
            config["layer_types"] = [kinds[number] for number in chosen]
        layers = tuple(model.layers[number] for number in chosen)
        return replace(model, layers=layers, config=config, lineage=lineage).copy()

    return derive


def without_middle(count: int) -> Sequence[int]:
    """All but four from the middle."""
    first = count // 2 - 2
    return [number for number in range(count) if not first <= number < first + 4]


def every_second(count: int) -> Sequence[int]:
    """The first, the third …"""
    return range(0, count, 2)


def upscaled(count: int) -> Sequence[int]:
    """The first three quarters and then the last three quarters, as SOLAR has them."""
    long = count * 3 // 4
    return [*range(long), *range(count - long, count)]


def block_repeated(count: int) -> Sequence[int]:
    """All, and four of the middle twice."""
    first = count // 2 - 2
    return [*range(first + 4), *range(first, count)]
