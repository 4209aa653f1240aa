"""Narrower and wider models, and mixtures of experts."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.lineage.canonical import BIAS, UP, Model
from benchmarks.lineage.derivations.choices import (
    choose_heads,
    choose_inner,
    choose_stream,
    within_groups,
)
from benchmarks.lineage.files import State
from benchmarks.lineage.layouts import EXPERTS

KEPT = 0.75
NOISE = 0.01  # of experts, as a part of the weights' own deviation

Importance = Callable[[torch.Tensor], torch.Tensor]


def first(importance: torch.Tensor) -> torch.Tensor:
    """Whatever comes first."""
    return -torch.arange(len(importance)).float()


def largest(importance: torch.Tensor) -> torch.Tensor:
    """Whatever matters most."""
    return importance


def narrowed(by: Importance, heads_too: bool = False) -> Callable[[Model, torch.Generator], Model]:
    """A derivation with three quarters of the hidden size and of the feed-forward.

    Where the heads share the hidden size between them, as many as fit are left.
    """

    def derive(model: Model, random: torch.Generator) -> Model:
        model = model.copy()
        bound = "head_dim" not in model.config
        width = int(model.width * KEPT)
        if bound:
            width -= width % model.head_width
        for layer in model.layers:
            importance = layer["up"].norm(dim=1) * layer["down"].norm(dim=0)
            choose_inner(layer, kept(by(importance), int(len(importance) * KEPT)))
            if heads_too or bound:
                drop_heads(model, layer, by, width if bound else None)
        choose_stream(model, kept(by(stream_importance(model)), width))
        return model

    return derive


def kept(importance: torch.Tensor, count: int) -> torch.Tensor:
    """The most important, in their old order."""
    return importance.topk(count).indices.sort().values


def stream_importance(model: Model) -> torch.Tensor:
    """How much is read from each coordinate of the residual stream and written to it."""
    reads = [layer[role].norm(dim=0) for layer in model.layers for role in ("q", "k", "v", "up")]
    writes = [layer[role].norm(dim=1) for layer in model.layers for role in ("o", "down")]
    return torch.stack([model.top["embed"].norm(dim=0), *reads, *writes]).mean(0)


def drop_heads(model: Model, layer: State, by: Importance, width: int | None) -> None:
    """Keep as many heads of every group as are to be kept, or as many groups of one head."""
    groups = layer["k"].shape[0] // model.head_width
    heads = layer["q"].shape[0] // model.head_width
    size = heads // groups
    importance = layer["o"].unflatten(1, (heads, -1)).norm(dim=(0, 2))
    if size == 1:
        count = width // model.head_width if width else int(heads * KEPT)
        left = kept(by(importance), count)
        choose_heads(model, layer, left, left)
        return
    inner = [kept(by(part), int(size * KEPT)) for part in importance.split(size)]
    every = torch.arange(groups)
    choose_heads(model, layer, within_groups(every, torch.stack(inner), size), every)


def widened(model: Model, random: torch.Generator) -> Model:
    """A quarter more feed-forward neurons that nothing reads yet."""
    model = model.copy()
    for layer in model.layers:
        rows, columns = layer["up"].shape
        more = rows // 4
        for role in UP:
            if role in layer:
                new = layer[role].std() * torch.randn(more, columns, generator=random)
                layer[role] = torch.cat([layer[role], new])
            if role + BIAS in layer:
                layer[role + BIAS] = torch.cat([layer[role + BIAS], torch.zeros(more)])
        layer["down"] = torch.cat([layer["down"], torch.zeros(columns, more)], 1)
    return model


def upcycled(model: Model, random: torch.Generator) -> Model:
    """A mixture of experts: the feed-forward several times with a little noise, and a router."""
    model = model.copy()
    for layer in model.layers:
        for role in ("gate", "up", "down"):
            old = layer.pop(role)
            for number in range(EXPERTS):
                noise = NOISE * old.std() * torch.randn(old.shape, generator=random)
                layer[f"expert{number}.{role}"] = old + noise
        layer["router"] = 0.02 * torch.randn(EXPERTS, model.width, generator=random)
    model.config.update(
        model_type="mixtral",
        architectures=["MixtralForCausalLM"],
        num_local_experts=EXPERTS,
        num_experts_per_tok=2,
    )
    return model
