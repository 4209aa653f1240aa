"""Which layout the tensors of a block can be, and why they cannot be another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fpcheck.checkpoint import Tensor
from fpcheck.checkpoint.config import flag, integer, is_stated, listed, model_types
from fpcheck.filling import POOLED, Patterns, Sizes, channels
from fpcheck.heads import Config
from fpcheck.layouts import (
    GATED_LEAVES,
    GATED_TYPES,
    LAYER_TYPES,
    LAYOUTS,
    Holds,
    Kind,
    Layout,
    Role,
)
from fpcheck.nearest import nearest
from fpcheck.packing import Pattern, Shape, whole

Block = Mapping[str, Tensor]  # leaf → tensor


@dataclass(frozen=True)
class Choice:
    """The row that a block follows; `pooled` when its fused tensors cannot be split."""

    row: Layout
    pooled: bool


def choose(blocks: Iterable[Block], module: str, config: Config) -> Choice | str:
    """The row that blocks of the same leaves follow, or in words why they follow none."""
    given = list(blocks)
    leaves = frozenset(given[0])
    rows = [row for row in LAYOUTS if row.required <= leaves and _possible(row, module, config)]
    if not rows:
        return nearest(leaves)
    most = max(len(leaves & row.leaves.keys()) for row in rows)
    best = [row for row in rows if len(leaves & row.leaves.keys()) == most]
    rival = next((row for row in rows if not row.required <= best[0].leaves.keys()), None)
    if rival:
        names = f"{best[0].name!r} and {rival.name!r}"
        return f"it has the tensors of two layouts, {names}; remove those that are not used"
    return _settle(best, given, config)


def _possible(row: Layout, module: str, config: Config) -> bool:
    """Whether a row may be taken: one without fused tensors has nothing to pool."""
    if row.module and module.rpartition(".")[2] != row.module:
        return False
    fused = any(holds in POOLED for holds in row.leaves.values())
    return fused or row.settled or is_named(row, config)


def _settle(rows: list[Layout], blocks: list[Block], config: Config) -> Choice:
    named = [row for row in rows if is_named(row, config)]
    if named:
        fitting = (row for row in named if not any(fault(row, b, config) for b in blocks))
        return Choice(next(fitting, named[0]), pooled=False)
    for row in rows:
        if row.settled and not any(fault(row, block, config) for block in blocks):
            return Choice(row, pooled=False)
    fused = any(holds in POOLED for holds in rows[0].leaves.values())
    return Choice(rows[0], pooled=fused)


def is_named(row: Layout, config: Config) -> bool:
    """Whether the config names a row, by its architecture and its flags."""
    if not (row.model_types or row.flags):
        return False
    if row.model_types and not model_types(config) & row.model_types:
        return False
    for key, needed, default in row.flags:
        value = flag(config, key)
        if value is None and is_stated(config, key):
            return False  # stated twice and differently: nothing settles the packing
        if (default if value is None else value) != needed:
            return False
    return True


def unused_v(layer: int, row: Layout, config: Config) -> str:
    """Where k is v in layers of full attention, a v of their own is nothing that the model uses."""
    types = listed(config, LAYER_TYPES)
    is_full = layer >= len(types) or types[layer] == "full_attention"
    shared = any(
        Holds.K_IS_V in other.leaves.values()
        and other.required < row.required
        and is_named(other, config)
        for other in LAYOUTS
    )
    return "it has a v of its own where k is v" if is_full and shared else ""


def patterns(row: Layout, leaf: str, block: Block, config: Config, *, pooled: bool) -> Patterns:
    """How the roles of one tensor lie along its channels; () where its shape does not admit it."""
    tensor, holds = block[leaf], row.leaves[leaf]
    if pooled and holds in POOLED:
        return (whole(POOLED[holds], outputs(row, tensor)),)
    if len(matrix(tensor)) != 2:
        return _stacked(holds, outputs(row, tensor), config)
    if holds is Holds.O_AND_BRANCH:
        return _along_inputs(row, tensor, block)
    return channels(holds, _sizes(row, tensor, block, config), config)


def _along_inputs(row: Layout, tensor: Tensor, block: Block) -> Patterns:
    """The first inputs are what attention gives; the others come from elsewhere."""
    own = _outputs_of(row, Holds.V, block) or 0
    if {own} != {_outputs_of(row, holds, block) for holds in (Holds.Q, Holds.K)}:
        return ()
    rest = (inputs(row, tensor) or 0) - own
    return (Pattern(1, ((Role.O, own), (Role.BRANCH, rest))),) if own and rest > 0 else ()


def _stacked(holds: Holds, size: int, config: Config) -> Patterns:
    """A stack of matrices, or one of three axes, can only serve one role as a whole."""
    if holds is Holds.Q:
        return (whole(Role.Q, size),)
    plain = channels(holds, Sizes(size), config) if holds not in POOLED else ()
    return tuple(pattern for pattern in plain if len(pattern.sequence) == 1)


def matrix(tensor: Tensor) -> Shape:
    """A tensor's shape without the axes of length one at its end (1×1 convolutions)."""
    shape = tensor.shape
    while len(shape) > 2 and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def outputs(row: Layout, tensor: Tensor) -> int:
    """The number of output channels; of what is no matrix, 1."""
    shape = matrix(tensor)
    return (shape[1] if row.transposed else shape[0]) if len(shape) == 2 else 1


def inputs(row: Layout, tensor: Tensor) -> int | None:
    """The number of input channels; None of what is no matrix."""
    shape = matrix(tensor)
    return (shape[0] if row.transposed else shape[1]) if len(shape) == 2 else None


def _sizes(row: Layout, tensor: Tensor, block: Block, config: Config) -> Sizes:
    latent = _latent(row, block)
    width = _inputs_of(row, Holds.O, block)
    query = _query(row, block, width, latent, config)
    gated = bool(GATED_LEAVES & row.leaves.keys() and model_types(config) & GATED_TYPES)
    return Sizes(outputs(row, tensor), width, query, latent, gated)


def _latent(row: Layout, block: Block) -> int | None:
    """The width of the latent of k and v: what they take; of a stack for v, what lies last."""
    stacks = (t.shape[-1] for t in _holding(row, Holds.V, block) if len(t.shape) > 2)
    return _inputs_of(row, Holds.K_V_PER_HEAD, block) or next(stacks, None)


def _query(
    row: Layout, block: Block, width: int | None, latent: int | None, config: Config
) -> int | None:
    """How many channels q must have: as many a head as k, for as many heads as o takes of v."""
    k, v = (_outputs_of(row, holds, block) for holds in (Holds.K, Holds.V))
    if row.kind is Kind.LINEAR:
        return k
    if Holds.KV_LATENT in row.leaves.values() and Holds.K in row.leaves.values():
        return _outputs_of(row, Holds.Q, block)  # its k and v are stacks, which say nothing of q
    if Holds.K_V_PER_HEAD in row.leaves.values() and latent is not None and width is not None:
        heads = integer(config, "num_attention_heads", "n_heads") or 0
        up = _outputs_of(row, Holds.K_V_PER_HEAD, block) or 0
        down = _outputs_of(row, Holds.KV_LATENT, block)
        rotary = down - latent if down else integer(config, "qk_rope_head_dim") or 0
        return up - width + heads * rotary
    if not (width and k and v):
        return None
    return width * k // v if not width * k % v else -1


def _outputs_of(row: Layout, holds: Holds, block: Block) -> int | None:
    found = [outputs(row, tensor) for tensor in _holding(row, holds, block)]
    return sum(found) if found else None


def _inputs_of(row: Layout, holds: Holds, block: Block) -> int | None:
    return next((inputs(row, tensor) for tensor in _holding(row, holds, block)), None)


def _holding(row: Layout, holds: Holds, block: Block) -> list[Tensor]:
    return [block[leaf] for leaf, held in row.leaves.items() if held is holds and leaf in block]


def fault(row: Layout, block: Block, config: Config, *, pooled: bool = False) -> str:
    """Why a block cannot be measured by a row, or ""."""
    for leaf in row.leaves:
        tensor = block.get(leaf)
        if tensor is None:
            continue
        if not tensor.is_measurable:
            return f"{tensor.name} is stored as {tensor.dtype}, whose values are not known"
        if len(tensor.shape) < 2 or not tensor.count:
            return f"{tensor.name} has shape {list(tensor.shape)}, not that of a matrix"
        if not patterns(row, leaf, block, config, pooled=pooled):
            return _misfit(row, leaf, block)
    return _undivided(row, block, config, pooled) or _unequal_inputs(row, block, config)


def _undivided(row: Layout, block: Block, config: Config, pooled: bool) -> str:
    """What a block that lacks a tensor cannot divide: nothing would tell a wrong division."""
    missing = sorted(row.required - block.keys())
    for leaf in row.leaves.keys() & block.keys() if missing else ():
        if any(len(p.sequence) > 1 for p in patterns(row, leaf, block, config, pooled=pooled)):
            return f"without {missing[0]}, {leaf} cannot be divided among its roles"
    return ""


def _misfit(row: Layout, leaf: str, block: Block) -> str:
    tensor, width = block[leaf], _inputs_of(row, Holds.O, block)
    takes = "" if width is None else f", where the output projection takes {width:,} channels"
    return (
        f"{tensor.name} has shape {list(tensor.shape)}{takes}: it cannot hold "
        f"{row.leaves[leaf]} as layout {row.name!r} does"
    )


def _unequal_inputs(row: Layout, block: Block, config: Config) -> str:
    """Why tensors that feed each other, or take the same inputs, cannot do so; or ""."""
    into, out = _inputs_of(row, Holds.Q, block), _outputs_of(row, Holds.Q_LATENT, block)
    if into and out and into % out:  # some give it twice, from two norms
        return f"q takes {into:,} inputs, its latent has {out:,}"
    down, up = _outputs_of(row, Holds.KV_LATENT, block), _latent(row, block)
    rotary = integer(config, "qk_rope_head_dim")
    if down and up and rotary and down - up not in (0, rotary):
        return f"k and v take {up:,} inputs, which leaves {down - up:,} of {down:,} for rotary k"
    if row.kind is Kind.CROSS:
        return ""
    q, k = _inputs_of(row, Holds.Q, block), _inputs_of(row, Holds.K, block)
    latent = any(row.leaves[leaf] is Holds.Q_LATENT for leaf in row.leaves if leaf in block)
    return f"q takes {q:,} inputs, k {k:,}" if q and k and q != k and not latent else ""
