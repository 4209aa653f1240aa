"""The blocks of a stack that are the model's own, put together to towers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from fpcheck.blocks import Block
from fpcheck.checkpoint import Tensor
from fpcheck.checkpoint.architectures import LAYER_KEYS
from fpcheck.checkpoint.config import integer, is_stated, model_types, own_type
from fpcheck.layouts import DEPTHS, DEPTHS_OF_TYPE
from fpcheck.stacks import is_text, largest, stacks


def main_stack(tensors: Mapping[str, Tensor]) -> str:
    """The text's stack that holds the most weights; of all stacks when none is the text's."""
    found = stacks(tensors).values()
    return largest([stack for stack in found if is_text(stack.name)] or found).name


def depth(stack: str, config: Mapping[str, Any]) -> int | None:
    """The number after the config's last layer; None when it does not say, or not clearly."""
    for model_type in model_types(config) & DEPTHS_OF_TYPE.keys():
        key, first = DEPTHS_OF_TYPE[model_type]
        count = integer(config, key)
        return None if count is None else count + first
    if _counts(config):
        return _own_depth(stack, config)
    for part, keys in DEPTHS.items():
        found = integer(config, *keys) if part in stack else None
        if found is not None:
            return found
    return None


def _counts(config: Mapping[str, Any]) -> bool:
    """Whether the architecture is one whose config must count its layers, under a known key."""
    return bool(LAYER_KEYS.get(own_type(config), ("", ""))[0])


def _own_depth(stack: str, config: Mapping[str, Any]) -> int | None:
    """The same for an architecture whose keys are known: no other key is read by its loader."""
    own, decoder = LAYER_KEYS[own_type(config)]
    if decoder and "dec" in stack and is_stated(config, decoder):
        return integer(config, decoder)
    stated = [key for key in dict.fromkeys((own, "num_hidden_layers")) if is_stated(config, key)]
    found = {integer(config, key) for key in stated}
    return found.pop() if len(found) == 1 else None


def belonging(
    blocks: Sequence[Block], main: str, config: Mapping[str, Any]
) -> tuple[list[Block], list[str]]:
    """The blocks that are the model's, and in words those that only carry its names.

    A loader ignores layers that its config does not count, and so must the profile: appended
    decoys would bend it at no cost, and layers that predict further tokens are no part of the
    stack. Matrices of another width cannot be of the same stack.
    """
    stack = blocks[0].stack
    limit = depth(stack, config) if stack == main or is_text(stack) else None
    if limit is None and is_text(stack) and _counts(config):
        return [], [f"{stack}: config.json does not say clearly how many layers it has"]
    within = [b for b in blocks if limit is None or b.layer < limit]
    wanted = _width(within)
    kept = [b for b in within if b.nested or b.width in (wanted, None)]
    left_out = []
    if len(within) < len(blocks):
        beyond = min(b.layer for b in blocks if limit is not None and b.layer >= limit)
        left_out.append(f"{stack}: layers from {beyond} on are beyond the config's {limit}")
    if len(kept) < len(within):
        odd = min(b.layer for b in within if b not in kept)
        left_out.append(f"{stack}.{odd}: its matrices are not of the stack's width, {wanted}")
    return kept, left_out


def _width(blocks: Sequence[Block]) -> int | None:
    """The number of inputs that most attention weights of a stack are for."""
    weights: Counter[int] = Counter()
    for block in blocks:
        if block.width is not None:
            weights[block.width] += sum(piece.tensor.count for piece in block.pieces)
    return max(weights, key=lambda size: (weights[size], -size), default=None)


def apart(blocks: Sequence[Block]) -> list[tuple[str, list[Block]]]:
    """The blocks of each module, those with the most weights first.

    Each with what tells it from the first: the module's name, or "".
    """
    modules: dict[str, list[Block]] = defaultdict(list)
    for block in blocks:
        modules[block.module].append(block)
    ordered = sorted(modules.items(), key=lambda item: (-_weights(item[1]), item[0]))
    return [(module if place else "", own) for place, (module, own) in enumerate(ordered)]


def _weights(blocks: Sequence[Block]) -> int:
    return sum(piece.tensor.count for block in blocks for piece in block.pieces)
