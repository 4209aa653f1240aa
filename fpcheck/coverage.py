"""How much of a checkpoint's largest stack of layers was recognised: what was not must not pass."""

from __future__ import annotations

from dataclasses import dataclass

from fpcheck.attention import Tower
from fpcheck.checkpoint import Checkpoint
from fpcheck.stacks import largest_stack, place_of

# Below this share of its layers, a model counts as unmeasured: a profile still keeps its shape when
# a quarter of its layers are interpolated, and much less of it could be anything.
ENOUGH = 0.75


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
    stack = largest_stack(checkpoint.tensors)
    covered = {place_of(name) for name in _measured(towers)}
    measured = {number for number in stack.layers if (stack.name, number) in covered}
    return Coverage(stack.name, stack.layers, frozenset(measured))


def _measured(towers: tuple[Tower, ...]) -> set[str]:
    layers = (layer for tower in towers if not tower.cross for layer in tower.layers.values())
    return {piece.tensor.name for layer in layers for piece in layer}
