"""Find the layouts that fit a checkpoint's tensors, tower by tower and layer by layer.

Names and shapes must both fit. What fits nothing is reported with its reason, never guessed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fpcheck.blocks import Block, Piece, blocks_of
from fpcheck.checkpoint import Checkpoint
from fpcheck.checkpoint.config import model_types
from fpcheck.filling import POOLED_ROLES
from fpcheck.heads import Config
from fpcheck.layouts import LEAVES, MAX_TOWERS, NESTED_TYPES, Holds, Kind
from fpcheck.mixers import excludes_attention, mixers
from fpcheck.sharing import unclear_keys, with_shared_keys
from fpcheck.stacks import Site, is_text, sites
from fpcheck.towers import apart, belonging, main_stack

_DIGITS = re.compile(r"[0-9]+")

__all__ = ["Attention", "Piece", "Tower", "find_attention"]


@dataclass(frozen=True)
class Tower:
    """The attention of one kind in one stack: its name, and the pieces of each layer."""

    name: str
    layout: str
    kind: Kind
    layers: Mapping[int, tuple[Piece, ...]]


@dataclass(frozen=True)
class Attention:
    """Every tower that was found; in words, what could not be measured, and what to know."""

    towers: tuple[Tower, ...]
    unmeasured: tuple[str, ...]
    notes: tuple[str, ...]


def find_attention(checkpoint: Checkpoint) -> Attention:
    """The attention matrices of a checkpoint, and why others could not be taken for such."""
    towers: list[Tower] = []
    main = main_stack(checkpoint.tensors)
    grouped, faults = _blocks(checkpoint)
    notes: list[str] = []
    for (stack, kind), blocks in sorted(grouped.items()):
        for module, found in apart(blocks):
            own, left_out = belonging(found, main, checkpoint.config)
            faults += left_out
            if own and kind is Kind.SELF and is_text(stack) and unclear_keys(checkpoint.config):
                faults.append(f"{stack}: config.json does not say clearly which layers share keys")
            elif own:
                ordered = _in_depth(kind, own, checkpoint.config)
                towers.append(_tower(_name(stack, kind, module), kind, ordered))
                notes += _notes(towers[-1].name, ordered)
    kept, left_out = _largest(towers)
    return Attention(kept, tuple(_merged([*faults, *left_out])), tuple(notes))


def _blocks(checkpoint: Checkpoint) -> tuple[dict[tuple[str, Kind], list[Block]], list[str]]:
    """The blocks by stack and kind, and what could not be read."""
    grouped: dict[tuple[str, Kind], list[Block]] = defaultdict(list)
    faults: list[str] = []
    partial: list[tuple[Site, str]] = []
    found = attention_sites(checkpoint)
    others = mixers(found) if excludes_attention(checkpoint.config) else {}
    for site in found:
        reading = blocks_of(site, checkpoint)
        faults += reading.faults
        if reading.partial:
            partial.append((site, reading.partial))
        for block in reading.blocks:
            kind = others.get((site.stack, block.layer)) if block.kind is Kind.SELF else None
            if kind:
                faults.append(f"{site.stack}.{block.layer}: attention in a layer that is {kind}")
            else:
                grouped[site.stack, block.kind].append(block)
    used = {p.tensor.name for blocks in grouped.values() for b in blocks for p in b.pieces}
    return grouped, faults + [said for site, said in partial if _is_unused(site, used)]


def attention_sites(checkpoint: Checkpoint) -> list[Site]:
    """Every module that has a tensor named as in attention, or as in what stands in its place."""
    nested = bool(model_types(checkpoint.config) & NESTED_TYPES)
    return sites(checkpoint.tensors, LEAVES, nested=nested)


def _largest(towers: Sequence[Tower]) -> tuple[tuple[Tower, ...], list[str]]:
    """At most MAX_TOWERS towers, in their order, and in words how many others there are."""
    if len(towers) <= MAX_TOWERS:
        return tuple(towers), []
    kept = sorted(range(len(towers)), key=lambda place: -_weights(towers[place]))[:MAX_TOWERS]
    left = len(towers) - MAX_TOWERS
    said = f"{left:,} smaller towers of more than {MAX_TOWERS}: no model has so many"
    return tuple(towers[place] for place in sorted(kept)), [said]


def _weights(tower: Tower) -> int:
    return sum(piece.tensor.count for layer in tower.layers.values() for piece in layer)


def _merged(faults: Iterable[str]) -> list[str]:
    """One fault for those that differ in numbers alone: most are the same in every layer."""
    alike: dict[str, list[str]] = defaultdict(list)
    for fault in dict.fromkeys(faults):
        alike[_DIGITS.sub("", fault)].append(fault)
    return [
        first if not others else f"{first} (and {len(others)} more like it)"
        for first, *others in alike.values()
    ]


def _is_unused(site: Site, used: set[str]) -> bool:
    return not any(t.name in used for block in site.blocks.values() for t in block.values())


def _name(stack: str, kind: Kind, module: str) -> str:
    words = [kind.value] if kind is not Kind.SELF else []
    words += [module] if module else []
    return f"{stack} ({', '.join(words)})" if words else stack


def _in_depth(kind: Kind, blocks: Sequence[Block], config: Config) -> tuple[Block, ...]:
    ordered = sorted(blocks, key=lambda block: block.depth)
    return with_shared_keys(ordered, config) if kind is Kind.SELF else tuple(ordered)


def _tower(name: str, kind: Kind, blocks: Sequence[Block]) -> Tower:
    layouts = dict.fromkeys(block.choice.row.name for block in blocks)
    return Tower(name, " + ".join(layouts), kind, {b.depth: b.pieces for b in blocks})


def _notes(name: str, blocks: Sequence[Block]) -> list[str]:
    """What a reader of a tower's numbers must know."""
    return [
        *_pooled(name, blocks),
        *_two_parts_of_k(name, blocks),
        *_lacking(name, blocks),
        *([f"{name}: layers are counted in the order of their blocks"] if blocks[0].nested else []),
    ]


def _pooled(name: str, blocks: Sequence[Block]) -> list[str]:
    pieces = (piece for block in blocks for piece in block.pieces)
    pooled = next((p for p in pieces if p.pattern.sequence[0][0] in POOLED_ROLES), None)
    if pooled is None:
        return []
    return [
        f"{name}: config.json does not settle how {pooled.tensor.name} is packed; "
        f"{pooled.pattern.sequence[0][0]} is measured as one pooled role"
    ]


def _two_parts_of_k(name: str, blocks: Sequence[Block]) -> list[str]:
    rows = (block.choice.row for block in blocks)
    if not any(Holds.K_V_PER_HEAD in row.leaves.values() for row in rows):
        return []
    return [f"{name}: k is both its part out of the latent and its rotary part, taken together"]


def _lacking(name: str, blocks: Sequence[Block]) -> list[str]:
    lacking = [block for block in blocks if block.missing]
    if not lacking:
        return []
    layers = ", ".join(str(block.depth) for block in lacking[:10])
    more = ", …" if len(lacking) > 10 else ""
    leaves = ", ".join(sorted({leaf for block in lacking for leaf in block.missing}))
    return [f"{name}: layers {layers}{more} have no {leaves}"]
