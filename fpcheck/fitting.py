"""Whether the tensors of a layer can be what a layout says they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from fpcheck.checkpoint import Checkpoint, Tensor
from fpcheck.checkpoint.config import integer
from fpcheck.checkpoint.dtypes import MEASURABLE
from fpcheck.layouts import Layout, Role

# Siblings that say a stored value is a code, whose weight is code × scale.
SCALES = ("_scale_inv", "_scale", "_scales")
# Config keys of the number of layers, by what the stack's name says it is.
DEPTHS: Mapping[str, tuple[str, ...]] = {
    "encoder": ("encoder_layers", "num_encoder_layers"),
    "decoder": ("decoder_layers", "num_decoder_layers"),
    "": ("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
}
Layers = dict[int, dict[str, Tensor]]  # layer number → tail → tensor


def depth(stack: str, config: Mapping[str, Any]) -> int | None:
    """How many layers the config gives a stack; None when it does not say, or not clearly."""
    for part, keys in DEPTHS.items():
        found = integer(config, *keys) if part in stack else None
        if found is not None:
            return found
    return None


def width(rows: list[Layout], layers: Layers) -> int | None:
    """The width of the residual stream: the size that most attention weights of a stack share."""
    weights: Counter[int] = Counter()
    for tensors in layers.values():
        for tensor in _matrices(rows, tensors):
            for size in set(tensor.shape):
                weights[size] += tensor.count
    return max(weights, key=lambda size: (weights[size], -size), default=None)


def fits_width(rows: list[Layout], tensors: Mapping[str, Tensor], wanted: int | None) -> bool:
    """Whether every attention matrix of a layer has that width on one side."""
    return all(wanted in tensor.shape for tensor in _matrices(rows, tensors))


def _matrices(rows: list[Layout], tensors: Mapping[str, Tensor]) -> list[Tensor]:
    tails = {tail for row in rows for tail in row.tails.values()}
    return [tensors[t] for t in tails if t in tensors and len(tensors[t].shape) == 2]


def fault(row: Layout, present: Mapping[Role, Tensor], checkpoint: Checkpoint) -> str:
    """Why a layer cannot be measured, or ""."""
    for tensor in present.values():
        if tensor.dtype not in MEASURABLE:
            return f"{tensor.name} is stored as {tensor.dtype}, which means nothing without scales"
        if len(tensor.shape) != 2 or not tensor.count:
            return f"{tensor.name} has shape {list(tensor.shape)}, not that of a matrix"
        if any(tensor.name + scale in checkpoint.tensors for scale in SCALES):
            return f"{tensor.name} has scales beside it, which this version does not apply"
    return _misshapen(row, present)


def _misshapen(row: Layout, present: Mapping[Role, Tensor]) -> str:
    shapes = {role: tensor.shape for role, tensor in present.items()}
    if row.transposed:
        shapes = {role: shape[::-1] for role, shape in shapes.items()}
    q, k, v, o = (shapes.get(role) for role in (Role.Q, Role.K, Role.V, Role.O))
    if q and o and q[0] != o[1]:
        return f"q gives {q[0]} rows, o takes {o[1]}"
    if k and v and k != v:
        return f"k has shape {list(k)}, v {list(v)}"
    if q and k and not row.cross and q[1] != k[1]:
        return f"q takes {q[1]} inputs, k {k[1]}"
    return ""
