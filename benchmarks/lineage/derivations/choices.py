"""Units taken in another order, or only some of them: residual stream, feed-forward and heads."""

from __future__ import annotations

import torch

from benchmarks.lineage.canonical import BIAS, NORMS, READERS, WRITERS, Model
from benchmarks.lineage.files import State


def choose(state: State, role: str, index: torch.Tensor, axis: int = 0) -> None:
    """Index a tensor and, along its outputs, its bias, where they exist."""
    if role in state:
        state[role] = state[role].index_select(axis, index)
    if axis == 0 and role + BIAS in state:
        state[role + BIAS] = state[role + BIAS][index]


def choose_stream(model: Model, index: torch.Tensor) -> None:
    """Keep these coordinates of the residual stream, in this order."""
    for role in ("embed", "positions", "types", "head"):
        choose(model.top, role, index, axis=1)
    for role in ("norm_embed", "norm_final", "norm_transform"):
        choose(model.top, role, index)
    if "transform" in model.top:  # an encoder's last matrix writes to the embeddings' basis
        choose(model.top, "transform", index)
        choose(model.top, "transform", index, axis=1)
    for layer in model.layers:
        for role in READERS:
            choose(layer, role, index, axis=1)
        for role in (*WRITERS, *NORMS):
            choose(layer, role, index)


def choose_inner(layer: State, index: torch.Tensor) -> None:
    """Keep these units of a feed-forward, in this order."""
    choose(layer, "gate", index)
    choose(layer, "up", index)
    choose(layer, "down", index, axis=1)


def choose_heads(model: Model, layer: State, heads: torch.Tensor, groups: torch.Tensor) -> None:
    """Keep these heads of the queries, and these of keys and values, in this order."""
    for role, axis, kept in (("q", 0, heads), ("o", 1, heads), ("k", 0, groups), ("v", 0, groups)):
        choose(layer, role, rows_of(kept, model.head_width), axis)


def rows_of(heads: torch.Tensor, width: int) -> torch.Tensor:
    """The rows that heads take."""
    return (heads[:, None] * width + torch.arange(width)).flatten()


def within_groups(groups: torch.Tensor, inner: torch.Tensor, size: int) -> torch.Tensor:
    """The numbers of heads, where each row of `inner` says which of a group's are taken."""
    return (groups[:, None] * size + inner).flatten()
