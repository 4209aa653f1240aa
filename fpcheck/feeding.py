"""Find the gains of the norms around attention: of the one that feeds it, of those of its heads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from fpcheck.attention import Tower
from fpcheck.beside import Layer, layers_of
from fpcheck.checkpoint import Checkpoint, Tensor
from fpcheck.checkpoint.config import flag, model_types
from fpcheck.feeding_layouts import FEEDERS, HEAD_NORMS, LESS_ONE, Feeder
from fpcheck.fitting import matrix
from fpcheck.heads import Config
from fpcheck.layouts import Kind, Role
from fpcheck.stacks import is_text


@dataclass(frozen=True)
class Gain:
    """What a norm multiplies each channel by: the values of `tensor`, row-major, plus `offset`."""

    tensor: Tensor
    offset: float


GGUF = ".gguf"  # llama.cpp's converter adds the one
_ENDINGS = (".weight", ".gamma")
_OWN = {Role.Q: Role.Q_NORM, Role.K: Role.K_NORM}
_LATENTS = {Role.Q: Role.Q_LATENT, Role.K: Role.KV_LATENT}


def feeding_gains(checkpoint: Checkpoint, tower: Tower) -> dict[int, Gain]:
    """The gain of the norm whose output attention takes, by depth: as many values as inputs.

    Layers that no known norm feeds have none, nor have blocks of cross-attention.
    """
    if tower.kind is Kind.CROSS:
        return {}
    layers = layers_of(checkpoint, tower)
    rows = {depth: _feeder_of(layer, checkpoint.config) for depth, layer in layers.items()}
    common = next(filter(None, rows.values()), None)
    offset = _offset(checkpoint, tower)
    found = {}
    for depth, layer in layers.items():
        row = rows[depth] or common
        tensor = _feeding(row, depth, layers, checkpoint) if row else None
        if tensor and tensor.count == layer.takes:
            found[depth] = Gain(tensor, offset)
    return found


def rivals(checkpoint: Checkpoint, tower: Tower) -> str:
    """In words, which two norms could both feed a layer's attention, or "".

    A row of the architecture settles it. Elsewhere a loader takes one of them and ignores the
    other, and nothing here says which.
    """
    layers = layers_of(checkpoint, tower) if tower.kind is not Kind.CROSS else {}
    for depth, layer in layers.items():
        rows = list(_fitting(layer, checkpoint.config))
        if rows and rows[0].types:
            continue
        found = (_feeding(row, depth, layers, checkpoint) for row in rows)
        names = sorted({t.name for t in found if t is not None and t.count == layer.takes})
        if len(names) > 1:
            return f"{names[0]} and {names[1]} could both feed attention"
    return ""


def _fitting(layer: Layer, config: Config) -> Iterator[Feeder]:
    """The rows that a layer has the tensors of."""
    types = model_types(config)
    for row in FEEDERS:
        if (row.types and not row.types & types) or not _norm(layer, row.leaf):
            continue
        if not row.beside or _norm(layer, row.beside):
            yield row


def _feeder_of(layer: Layer, config: Config) -> Feeder | None:
    """The first row that a layer has the tensors of."""
    row = next(_fitting(layer, config), None)
    if row is None or not row.flag[0]:
        return row
    return row if flag(config, row.flag[0]) in (None, row.flag[1]) else None


def _feeding(
    row: Feeder, depth: int, layers: Mapping[int, Layer], checkpoint: Checkpoint
) -> Tensor | None:
    source = layers.get(depth - 1) if row.previous else layers[depth]
    found = _norm(source, row.leaf) if source else None
    if found or depth or not row.first:
        return found
    parts = layers[depth].stack.split(".")
    above = (".".join([*parts[:n], row.first]) for n in range(len(parts), -1, -1))
    return _first_vector(checkpoint.tensors, (name + end for name in above for end in _ENDINGS))


def _norm(layer: Layer, leaf: str) -> Tensor | None:
    """A vector of that name in the layer, or in a module of it that attention lies in.

    `*.` before a leaf means such a module alone, `#` in it the number of the attention's own.
    """
    parts = layer.module.split(".")
    number = next((part for part in reversed(parts) if part.isdigit()), "")
    inner = leaf.startswith("*.")
    tail = leaf.removeprefix("*.").replace("#", number)
    names = (".".join([*parts[:n], tail]) for n in range(int(inner), len(parts) + 1))
    return _first_vector(layer.tensors, (name + end for name in names for end in _ENDINGS))


def _first_vector(tensors: Mapping[str, Tensor], names: Iterable[str]) -> Tensor | None:
    found = (tensors[name] for name in names if name in tensors)
    return next((tensor for tensor in found if len(tensor.shape) == 1 and _is_plain(tensor)), None)


def _is_plain(tensor: Tensor) -> bool:
    return tensor.is_measurable and tensor.coding is None and tensor.count > 1


def _offset(checkpoint: Checkpoint, tower: Tower) -> float:
    if any(name.endswith(GGUF) for name in checkpoint.shards):
        return 0.0
    return 1.0 if model_types(checkpoint.config) & LESS_ONE and is_text(tower.name) else 0.0


def head_gains(checkpoint: Checkpoint, tower: Tower) -> dict[int, tuple[Gain | None, Gain | None]]:
    """The gains of the norms of q and of k, by depth; None where there is no such norm.

    As many values as a head has channels, or as all heads have. The norms of latents are none.
    """
    offset = _offset(checkpoint, tower)
    found = {}
    for depth, layer in layers_of(checkpoint, tower).items():
        q, k = (_head_norm(layer, role) for role in (Role.Q, Role.K))
        found[depth] = (Gain(q, offset) if q else None, Gain(k, offset) if k else None)
    return found


def _head_norm(layer: Layer, role: Role) -> Tensor | None:
    """A layer's norm of q or k: first what attention itself found, which may be another layer's."""
    roles = {held for piece in layer.pieces for held, _ in piece.pattern.sequence}
    channels = _channels(layer, role)
    if _LATENTS[role] in roles or not channels:
        return None
    own = (p.tensor for p in layer.pieces if p.pattern.sequence[0][0] is _OWN[role])
    names = [f"{above}{leaf}" for leaf in HEAD_NORMS[role] for above in _above(layer.module)]
    named = (layer.tensors[f"{n}.weight"] for n in names if f"{n}.weight" in layer.tensors)
    fitting = (t for t in (*own, *named) if _is_plain(t) and channels % t.count == 0)
    return next(fitting, None)


def _above(module: str) -> Iterator[str]:
    """The attention's module and those around it, each with its dot, the innermost first."""
    parts = module.split(".") if module else []
    for n in range(len(parts), -1, -1):
        yield "".join(f"{part}." for part in parts[:n])


def _channels(layer: Layer, role: Role) -> int:
    """How many output channels of the layer serve a role; 0 of what is not clear."""
    found = 0
    for piece in layer.pieces:
        shape = matrix(piece.tensor)
        own = sum(length for held, length in piece.pattern.sequence if held is role)
        if own and len(shape) == 2:
            found += own * piece.pattern.repeats // shape[0 if piece.transposed else 1]
    return found
