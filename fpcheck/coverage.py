"""How much of a checkpoint's largest stack of layers was recognised: what was not must not pass."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from fpcheck.attention import Tower
from fpcheck.checkpoint import Checkpoint
from fpcheck.fitting import nearest
from fpcheck.layouts import LEAVES, MIXERS, Kind
from fpcheck.stacks import largest, place_of, sites, stacks

# Below this share of its layers, a model counts as unmeasured: a profile still keeps its shape when
# a quarter of its layers are interpolated, and much less of it could be anything.
ENOUGH = 0.75


@dataclass(frozen=True)
class Coverage:
    """The stack of layers that holds the most weights, and which of its layers were measured.

    `without` says of layers what they have in place of attention, `nearest` in words what is
    missing of the layout that the others are most like.
    """

    stack: str
    layers: frozenset[int]
    measured: frozenset[int]
    without: Mapping[int, str]
    nearest: str = ""

    @property
    def share(self) -> float:
        """Measured layers by all layers that should have attention; 0 when none has."""
        wanted = self.layers - self.without.keys()
        return len(self.measured) / len(wanted) if wanted else 0.0

    @property
    def gap(self) -> str:
        """What is missing, in words, or ""."""
        missing = self.layers - self.measured - self.without.keys()
        if not self.layers:
            return "no tensor is named like a layer"
        if not self.measured and not missing:
            return f"{self._name}: no layer has attention: {self.other}"
        if not missing:
            return ""
        return (
            f"{self._name}: {len(missing)} of {len(self.layers)} layers have no "
            f"attention matrices of a known architecture; {self.nearest}"
        )

    @property
    def other(self) -> str:
        """What layers have in place of attention, in words, or ""."""
        counts = Counter(self.without.values())
        words = ((count, kind, "" if count == 1 else "s") for kind, count in sorted(counts.items()))
        return ", ".join(f"{count} {kind} layer{plural}" for count, kind, plural in words)

    @property
    def _name(self) -> str:
        return self.stack or "top level"


def coverage(checkpoint: Checkpoint, towers: tuple[Tower, ...]) -> Coverage:
    """How much of the largest stack the towers cover.

    Without this, a known vision tower would let an unknown language model pass, and a few layers
    that kept their names the many that were renamed.
    """
    stack = largest(stacks(checkpoint.tensors).values())
    covered = {place[:2] for place in map(place_of, _measured(towers)) if place}
    measured = {number for number in stack.layers if (stack.name, number) in covered}
    others = _mixers(checkpoint, stack.name) if stack.layers > measured else {}
    without = {n: others[n] for n in sorted(stack.layers - measured) if n in others}
    missing = stack.layers - measured - without.keys()
    said = nearest(_leaves(checkpoint, stack.name, min(missing))) if missing else ""
    return Coverage(stack.name, stack.layers, frozenset(measured), without, said)


def _leaves(checkpoint: Checkpoint, stack: str, layer: int) -> set[str]:
    """The last two parts of the names of a layer's matrices."""
    found = {n: place_of(n) for n, t in checkpoint.tensors.items() if len(t.shape) > 1}
    own = (p.below for p in found.values() if p and p[:2] == (stack, layer))
    return {".".join(below.split(".")[-2:]) for below in own}


def _measured(towers: tuple[Tower, ...]) -> set[str]:
    kinds = (Kind.SELF, Kind.LINEAR)
    layers = (layer for tower in towers if tower.kind in kinds for layer in tower.layers.values())
    return {piece.tensor.name for layer in layers for piece in layer}


def _mixers(checkpoint: Checkpoint, stack: str) -> Mapping[int, str]:
    """What each layer of a stack holds in place of attention, where that is known."""
    found: dict[int, str] = defaultdict(str)
    for site in sites(checkpoint.tensors, LEAVES):
        for numbers, block in site.blocks.items() if site.stack == stack else ():
            for kind, leaves in MIXERS:
                if leaves <= block.keys():
                    found[numbers[0]] = kind
    return found
