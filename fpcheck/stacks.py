"""Stacks of layers, read off tensor names: `<stack>.<layer number>.<tail>`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fpcheck.checkpoint import Tensor

_NUMBER = re.compile(r"0|[1-9][0-9]{0,5}")  # a canonical layer number: "07" would be a second 7


@dataclass(frozen=True)
class Stack:
    """The prefix that some layers share, and their numbers."""

    name: str
    layers: frozenset[int]


def readings(name: str) -> Iterable[tuple[str, int, str]]:
    """Each way to read a name as stack, layer number, tail."""
    parts = name.split(".")
    for place, part in enumerate(parts):
        if _NUMBER.fullmatch(part):
            yield ".".join(parts[:place]), int(part), ".".join(parts[place + 1 :])


def place_of(name: str) -> tuple[str, int] | None:
    """The stack and layer of a tensor: its first number, but for one that begins the name."""
    found = [(prefix, number) for prefix, number, _ in readings(name)]
    return next(iter([place for place in found if place[0]] or found), None)


def largest_stack(tensors: Mapping[str, Tensor]) -> Stack:
    """The stack that holds the most weights; without layers when no tensor is numbered."""
    weights: dict[str, int] = defaultdict(int)
    layers: dict[str, set[int]] = defaultdict(set)
    for name, tensor in tensors.items():
        place = place_of(name)
        if place:
            weights[place[0]] += tensor.count
            layers[place[0]].add(place[1])
    name = max(weights, key=lambda stack: weights[stack], default="")
    return Stack(name, frozenset(layers[name]))
