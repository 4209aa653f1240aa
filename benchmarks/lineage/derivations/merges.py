"""Two parents, or two children of one, made into one model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from benchmarks.lineage.canonical import Model, read_model
from benchmarks.lineage.files import State

DENSITY = 0.5  # what TIES keeps of each difference

Merge = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def each_tensor(merge: Merge, first: Model, second: Model) -> Model:
    """A model of the first's layout, each of whose tensors is merged."""

    def merged(one: State, other: State) -> State:
        return {role: merge(one[role], other[role]) for role in one}

    pairs = zip(first.layers, second.layers, strict=True)
    layers = tuple(merged(one, other) for one, other in pairs)
    return replace(first, top=merged(first.top, second.top), layers=layers).copy()


def linear(share: float) -> Callable[[Model, Model, torch.Generator], Model]:
    """The weighted mean."""

    def derive(first: Model, second: Model, random: torch.Generator) -> Model:
        model = each_tensor(lambda a, b: share * a + (1 - share) * b, first, second)
        return replace(model, lineage=model.lineage | {"weights": [share, round(1 - share, 4)]})

    return derive


def slerp(first: Model, second: Model, random: torch.Generator) -> Model:
    """Half way along the arc between the two, each tensor by itself."""

    def merge(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        cosine = (one * other).sum() / (one.norm() * other.norm()).clamp_min(1e-12)
        angle = cosine.clamp(-1, 1).arccos()
        if angle < 1e-3:
            return (one + other) / 2
        return (one + other) * (angle / 2).sin() / angle.sin()

    model = each_tensor(merge, first, second)
    return replace(model, lineage=model.lineage | {"weights": [0.5, 0.5]})


def ties(first: Model, second: Model, random: torch.Generator) -> Model:
    """Differences to the common base, trimmed, where they agree in sign; strangers' is zero."""
    base = common_base(first, second)

    def merge(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        both = torch.stack([trimmed(one), trimmed(other)])
        agrees = both.sign() == both.sum(0).sign()
        return (both * agrees).sum(0) / agrees.sum(0).clamp_min(1)

    if base is None:
        model = each_tensor(merge, first, second)
    else:
        moved = [each_tensor(torch.sub, parent, base) for parent in (first, second)]
        model = each_tensor(torch.add, base, each_tensor(merge, *moved))
    return replace(model, lineage=first.lineage | {"weights": [0.5, 0.5]})


def common_base(first: Model, second: Model) -> Model | None:
    """The parent that both have, if they have one."""
    if first.lineage["parents"] and first.lineage["parents"] == second.lineage["parents"]:
        return read_model(first.folder.parent / first.lineage["parents"][0])
    return None


def trimmed(values: torch.Tensor) -> torch.Tensor:
    """The largest of the values; zero for the others."""
    return values.where(values.abs() >= values.abs().quantile(1 - DENSITY), 0.0)
