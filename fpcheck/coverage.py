"""How much of a checkpoint's largest stack of layers was recognised: what was not must not pass."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from fpcheck.attention import Tower, attention_sites
from fpcheck.checkpoint import Checkpoint
from fpcheck.layouts import Kind
from fpcheck.mixers import Place, attention_named, mixers
from fpcheck.nearest import nearest
from fpcheck.stacks import is_text, largest, place_of, stacks

# Below this share of its layers, a model counts as unmeasured: a profile still keeps its shape when
# a quarter of its layers are interpolated, and much less of it could be anything.
ENOUGH = 0.75
DEEP = 4  # layers of a further stack that could be a model: a profile of fewer is none


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
    """How much of the largest stack the towers cover, or of a text's stack that they cover less.

    Without this, a known vision tower would let an unknown language model pass, a few layers that
    kept their names the many that were renamed, and a large decoy the model that was spoilt.
    """
    covered = {place[:2] for place in map(place_of, _measured(towers)) if place}
    found = attention_sites(checkpoint)
    named = set(attention_named(found))
    others = {place: kind for place, kind in mixers(found).items() if place not in named}
    every = stacks(checkpoint.tensors)
    main = largest(every.values())
    wanted = {main.name: main.layers} | _texts(named, main.name)
    candidates = [_covered(name, layers, covered, others) for name, layers in wanted.items()]
    worst = min(candidates, key=lambda each: each.share)  # the first, the largest, among equals
    missing = worst.layers - worst.measured - worst.without.keys()
    said = nearest(_leaves(checkpoint, worst.stack, min(missing))) if missing else ""
    return replace(worst, nearest=said)


def _texts(named: Iterable[Place], main: str) -> dict[str, frozenset[int]]:
    """The layers with attention's names of further text stacks that are deep enough to compare."""
    layers: dict[str, set[int]] = defaultdict(set)
    for stack, layer in named:
        if stack != main and is_text(stack):
            layers[stack].add(layer)
    return {name: frozenset(own) for name, own in layers.items() if len(own) >= DEEP}


def _covered(
    name: str, layers: frozenset[int], covered: set[Place], others: Mapping[Place, str]
) -> Coverage:
    measured = frozenset(layer for layer in layers if (name, layer) in covered)
    without = {n: others[name, n] for n in sorted(layers - measured) if (name, n) in others}
    return Coverage(name, layers, measured, without)


def _leaves(checkpoint: Checkpoint, stack: str, layer: int) -> set[str]:
    """The last two parts of the names of a layer's matrices."""
    found = {n: place_of(n) for n, t in checkpoint.tensors.items() if len(t.shape) > 1}
    own = (p.below for p in found.values() if p and p[:2] == (stack, layer))
    return {".".join(below.split(".")[-2:]) for below in own}


def _measured(towers: tuple[Tower, ...]) -> set[str]:
    kinds = (Kind.SELF, Kind.LINEAR)
    layers = (layer for tower in towers if tower.kind in kinds for layer in tower.layers.values())
    return {piece.tensor.name for layer in layers for piece in layer}
