"""Orthogonal matrices, and the residual stream turned by one."""

from __future__ import annotations

import torch

from benchmarks.lineage.canonical import BIAS, NORMS, READERS, WRITERS, Model
from benchmarks.lineage.files import State


def orthogonal(width: int, random: torch.Generator, centred: bool = False) -> torch.Tensor:
    """A random orthogonal matrix; one that keeps the vector of ones if `centred`."""
    if not centred:
        drawn = torch.randn(width, width, generator=random, dtype=torch.float64)
        q, r = torch.linalg.qr(drawn)
        return (q * r.diagonal().sign()).float()
    ones = torch.ones(width, 1, dtype=torch.float64)
    basis = torch.linalg.qr(torch.cat([ones, torch.eye(width, dtype=torch.float64)], 1)).Q
    inner = torch.eye(width, dtype=torch.float64)
    inner[1:, 1:] = orthogonal(width - 1, random).double()
    return (basis @ inner @ basis.T).float()


def turn_stream(model: Model, turn: torch.Tensor) -> None:
    """What reads the stream and what writes to it, in another basis; gains have to be ones."""
    for role in ("embed", "positions", "types", "head", "transform"):
        turn_last(model.top, role, turn)
    turn_last(model.top, "norm_final" + BIAS, turn)
    for layer in model.layers:
        for role in READERS:
            turn_last(layer, role, turn)
        for role in WRITERS:
            if role in layer:
                layer[role] = turn.T @ layer[role]
            turn_last(layer, role + BIAS, turn)
        for role in NORMS:
            turn_last(layer, role + BIAS, turn)


def turn_last(state: State, role: str, turn: torch.Tensor) -> None:
    """Turn the last axis of a tensor that is there."""
    if role in state:
        state[role] = state[role] @ turn
