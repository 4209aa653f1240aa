"""What changes every weight and leaves what the model computes as it is."""

from __future__ import annotations

import torch

from benchmarks.lineage.canonical import BIAS, QKV, READ_BY, UP, Model
from benchmarks.lineage.derivations.choices import (
    choose_heads,
    choose_inner,
    choose_stream,
    within_groups,
)
from benchmarks.lineage.derivations.turns import orthogonal, turn_stream
from benchmarks.lineage.files import State


def permuted(model: Model, random: torch.Generator) -> Model:
    """The residual stream in another order, and every feed-forward."""
    model = model.copy()
    choose_stream(model, torch.randperm(model.width, generator=random))
    for layer in model.layers:
        choose_inner(layer, torch.randperm(len(layer["up"]), generator=random))
    return model


def heads_permuted(model: Model, random: torch.Generator) -> Model:
    """The groups of heads in another order, and the heads within each."""
    model = model.copy()
    groups, size = model.groups, model.heads // model.groups
    for layer in model.layers:
        order = torch.randperm(groups, generator=random)
        inner = torch.stack([torch.randperm(size, generator=random) for _ in range(groups)])
        choose_heads(model, layer, within_groups(order, inner, size), order)
    return model


def heads_rotated(model: Model, random: torch.Generator) -> Model:
    """The values of each head turned, and what reads them turned back."""
    model = model.copy()
    width = model.head_width
    for layer in model.layers:
        turns = torch.stack([orthogonal(width, random) for _ in range(model.groups)])
        for role in ("v", "v" + BIAS):
            if role in layer:
                parts = layer[role].reshape(model.groups, width, -1)
                layer[role] = (turns @ parts).reshape(layer[role].shape)
        each = turns.repeat_interleave(model.heads // model.groups, 0)
        read = layer["o"].unflatten(1, (model.heads, width))
        layer["o"] = torch.einsum("ahw,hvw->ahv", read, each).flatten(1)
    return model


def queries_scaled(model: Model, random: torch.Generator) -> Model:
    """Queries times a factor a head, keys divided by it; their gains where they are normed."""
    model = model.copy()
    for layer in model.layers:
        if "q_norm" in layer:
            factor = factors(1, random)
            layer["q_norm"], layer["k_norm"] = layer["q_norm"] * factor, layer["k_norm"] / factor
            continue
        factor = factors(model.groups, random)
        scale_rows(layer, "q", factor.repeat_interleave(model.heads // model.groups))
        scale_rows(layer, "k", 1 / factor)
    return model


def values_scaled(model: Model, random: torch.Generator) -> Model:
    """Values times a factor a head, and what reads them divided by it."""
    model = model.copy()
    for layer in model.layers:
        factor = factors(model.groups, random)
        scale_rows(layer, "v", factor)
        each = factor.repeat_interleave(model.heads // model.groups * model.head_width)
        layer["o"] = layer["o"] / each
    return model


def factors(count: int, random: torch.Generator) -> torch.Tensor:
    """Numbers from a half to two, as often smaller as larger than one."""
    return 2.0 ** (2 * torch.rand(count, generator=random) - 1)


def scale_rows(layer: State, role: str, factor: torch.Tensor) -> None:
    """Multiply the outputs of heads."""
    for name in (role, role + BIAS):
        if name in layer:
            each = factor.repeat_interleave(len(layer[name]) // len(factor))
            layer[name] = torch.einsum("r...,r->r...", layer[name], each)


def norms_rescaled(model: Model, random: torch.Generator) -> Model:
    """Gains times a factor a coordinate, and what reads them divided by it.

    What is normed before attention reads it (queries and keys) takes any factor a head.
    """
    model = model.copy()
    for layer in model.layers:
        for norm, readers in READ_BY.items():
            rescale(layer, norm, layer, readers, factors(model.width, random))
        if "q_norm" in layer:
            scale_rows(layer, "q", factors(model.heads, random))
            scale_rows(layer, "k", factors(model.groups, random))
    if not model.tied:
        rescale(model.top, "norm_final", model.top, ("head",), factors(model.width, random))
    return model


def rescale(
    norm_in: State, norm: str, readers_in: State, readers: tuple[str, ...], factor: torch.Tensor
) -> None:
    """Multiply a norm's gain and bias, and divide what reads it."""
    for role in (norm, norm + BIAS):
        if role in norm_in:
            norm_in[role] = norm_in[role] * factor
    for role in readers:
        if role in readers_in:
            readers_in[role] = readers_in[role] / factor


def rotated(model: Model, random: torch.Generator) -> Model:
    """The residual stream turned: gains go into what reads them, and every gain is one.

    A model that predicts with its embeddings gets a matrix of its own for it, for the last norm's
    gain. Where norms take the mean off, the turn keeps the direction of the mean.
    """
    model = model.copy()
    if model.tied:
        model.top["head"] = model.top["embed"].clone()
    centred = "norm_final" + BIAS in model.top
    for layer in model.layers:
        for norm, readers in READ_BY.items():
            rescale(layer, norm, layer, readers, 1 / layer[norm])
    rescale(model.top, "norm_final", model.top, ("head",), 1 / model.top["norm_final"])
    turn_stream(model, orthogonal(model.width, random, centred))
    return model


def rotated_encoder(model: Model, random: torch.Generator) -> Model:
    """The same of an encoder that norms its sums: not what it computes, but what can be done."""
    model = model.copy()
    layers = model.layers
    for number, layer in enumerate(layers):
        rescale(layer, "norm_attn", layer, UP, 1 / layer["norm_attn"])
        if number + 1 < len(layers):
            rescale(layer, "norm_ffn", layers[number + 1], QKV, 1 / layer["norm_ffn"])
    rescale(model.top, "norm_embed", layers[0], QKV, 1 / model.top["norm_embed"])
    turn_stream(model, orthogonal(model.width, random, centred=True))
    return model


INSIDE = (permuted, heads_permuted, heads_rotated, queries_scaled, values_scaled)


def disguised(model: Model, random: torch.Generator) -> Model:
    """All of the above that the architecture admits.

    Gains after attention and feed-forward admit no turn of the stream; norms of sums neither that
    nor another gain.
    """
    changes = list(INSIDE)
    if "norm_final" in model.top:
        changes.append(norms_rescaled)
        if "post_attn" not in model.layers[0]:
            changes.insert(0, rotated)
    for change in changes:
        model = change(model, random)
    return model


def hidden(model: Model, random: torch.Generator) -> Model:
    """The stream turned and the embeddings replaced: nothing is left to hold on to."""
    model = rotated(model, random)
    for role in ("embed", "head"):
        table = model.top[role]
        model.top[role] = table.std() * torch.randn(table.shape, generator=random)
    return model
