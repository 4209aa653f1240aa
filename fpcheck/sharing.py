"""Layers that take their keys and values from an earlier layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fpcheck.blocks import Block, Piece
from fpcheck.checkpoint.config import integer, listed, model_types
from fpcheck.layouts import BIAS_OF, LAYER_TYPES, SHARED_LAYERS, SHARING_TYPES, Role
from fpcheck.packing import Config

KEYS = frozenset({Role.K, Role.V, Role.K_NORM, BIAS_OF[Role.K], BIAS_OF[Role.V]})


def with_shared_keys(blocks: Sequence[Block], config: Config) -> tuple[Block, ...]:
    """The blocks of a tower, the last ones with the k and v of the layer they take them from.

    The architectures of SHARING_TYPES do so in their last `num_kv_shared_layers`: each uses those
    of the last layer before them that has its own entry in `layer_types`. Whatever k and v such a
    layer's own file holds is not used by the model.
    """
    shared = integer(config, SHARED_LAYERS)
    if not shared or not model_types(config) & SHARING_TYPES:
        return tuple(blocks)
    count = integer(config, "num_hidden_layers") or max(b.layer for b in blocks) + 1
    first, types = count - shared, listed(config, LAYER_TYPES)
    return tuple(_shared(b, blocks, first, types) if b.layer >= first else b for b in blocks)


def _shared(block: Block, blocks: Sequence[Block], first: int, types: Sequence[object]) -> Block:
    own = _type(block.layer, types)
    earlier = [b for b in blocks if b.layer < first and _type(b.layer, types) == own]
    kept = tuple(piece for piece in block.pieces if not _roles(piece) <= KEYS)
    lent = [p for b in earlier[-1:] for p in b.pieces if _roles(p) <= KEYS]
    return replace(block, pieces=(*kept, *lent), missing=())


def _type(layer: int, types: Sequence[object]) -> object:
    return types[layer] if layer < len(types) else None


def _roles(piece: Piece) -> set[Role]:
    return {role for role, _ in piece.pattern.sequence}
