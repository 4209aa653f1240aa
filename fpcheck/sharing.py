"""Layers that take their keys and values from an earlier layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fpcheck.blocks import Block, Piece
from fpcheck.checkpoint.config import integer, is_clear, listed, model_types
from fpcheck.heads import Config
from fpcheck.layouts import (
    BIAS_OF,
    LATENT_SHARING_TYPES,
    LATENT_SOURCES,
    LAYER_TYPES,
    SHARED_LAYERS,
    SHARING_TYPES,
    Role,
)

KEYS = frozenset({Role.K, Role.V, Role.K_NORM, BIAS_OF[Role.K], BIAS_OF[Role.V]})


def with_shared_keys(blocks: Sequence[Block], config: Config) -> tuple[Block, ...]:
    """The blocks of a tower, some with the k and v of the layer that they take them from.

    Whatever k and v such a layer's own file holds is not used by the model. Only architectures
    that read these settings are believed: others ignore them.
    """
    types = model_types(config)
    if types & SHARING_TYPES:
        return _last_share(blocks, config)
    return _share_latents(blocks, config) if types & LATENT_SHARING_TYPES else tuple(blocks)


def unclear_keys(config: Config) -> bool:
    """Whether layers may share keys and the config leaves open which do."""
    return bool(model_types(config) & SHARING_TYPES) and not is_clear(config, SHARED_LAYERS)


def _last_share(blocks: Sequence[Block], config: Config) -> tuple[Block, ...]:
    """Each of the last layers uses k and v of the last one before them of its own type."""
    shared = integer(config, SHARED_LAYERS)
    if not shared:
        return tuple(blocks)
    count = integer(config, "num_hidden_layers") or max(b.layer for b in blocks) + 1
    first, types = count - shared, listed(config, LAYER_TYPES)
    return tuple(_shared(b, blocks, first, types) if b.layer >= first else b for b in blocks)


def _share_latents(blocks: Sequence[Block], config: Config) -> tuple[Block, ...]:
    """A layer without a latent of its own uses another's, and the rotary part of k with it."""
    sources, by_layer = listed(config, LATENT_SOURCES), {b.layer: b for b in blocks}
    return tuple(_with_latent(b, by_layer.get(_number(b.layer, sources))) for b in blocks)


def _with_latent(block: Block, source: Block | None) -> Block:
    if source is None or any(Role.KV_LATENT in _roles(piece) for piece in block.pieces):
        return block
    lent = (piece for piece in source.pieces if Role.KV_LATENT in _roles(piece))
    return replace(block, pieces=(*block.pieces, *lent))


def _shared(block: Block, blocks: Sequence[Block], first: int, types: Sequence[Any]) -> Block:
    own = _type(block.layer, types)
    earlier = [b for b in blocks if b.layer < first and _type(b.layer, types) == own]
    kept = tuple(piece for piece in block.pieces if not _roles(piece) <= KEYS)
    lent = [p for b in earlier[-1:] for p in b.pieces if _roles(p) <= KEYS]
    return replace(block, pieces=(*kept, *lent), missing=())


def _type(layer: int, types: Sequence[Any]) -> Any:
    return types[layer] if layer < len(types) else None


def _number(layer: int, sources: Sequence[Any]) -> int:
    source = _type(layer, sources)
    return source if type(source) is int else -1


def _roles(piece: Piece) -> set[Role]:
    return {role for role, _ in piece.pattern.sequence}
