"""How much of a checkpoint's largest stack of layers was recognised: what was not must not pass."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from fpcheck.attention import Tower, readings
from fpcheck.checkpoint import Checkpoint

ENOUGH = 0.5  # below this share of its layers, a model counts as unmeasured


@dataclass(frozen=True)
class Coverage:
    """The stack of layers that holds the most weights, and which of its layers were measured."""

    stack: str
    layers: frozenset[int]
    measured: frozenset[int]

    @property
    def share(self) -> float:
        """Measured layers by all layers; 0 for a checkpoint without layers."""
        return len(self.measured) / len(self.layers) if self.layers else 0.0

    @property
    def gap(self) -> str:
        """What is missing, in words, or ""."""
        missing = self.layers - self.measured
        if not self.layers:
            return "no tensor is named like a layer"
        if not missing:
            return ""
        return (
            f"{self.stack or 'top level'}: {len(missing)} of {len(self.layers)} layers have no "
            "attention matrices of a known architecture"
        )


def coverage(checkpoint: Checkpoint, towers: tuple[Tower, ...]) -> Coverage:
    """How much of the largest stack the towers cover.

    Without this, a known vision tower would let an unknown language model pass, and a few layers
    that kept their names the many that were renamed.
    """
    weights: dict[str, int] = defaultdict(int)
    layers: dict[str, set[int]] = defaultdict(set)
    for name, tensor in checkpoint.tensors.items():
        place = _place(name)
        if place:
            weights[place[0]] += tensor.count
            layers[place[0]].add(place[1])
    stack = max(weights, key=lambda name: weights[name], default="")
    covered = {_place(name) for name in _measured(towers)}
    measured = {number for number in layers[stack] if (stack, number) in covered}
    return Coverage(stack, frozenset(layers[stack]), frozenset(measured))


def _measured(towers: tuple[Tower, ...]) -> set[str]:
    layers = (layer for tower in towers if not tower.cross for layer in tower.layers.values())
    return {piece.tensor.name for layer in layers for piece in layer}


def _place(name: str) -> tuple[str, int] | None:
    """The stack and layer of a tensor: its first number, but for one that begins the name."""
    found = [(prefix, number) for prefix, number, _ in readings(name)]
    named = [place for place in found if place[0]]
    return next(iter(named or found), None)
