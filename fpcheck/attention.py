"""Find the layouts that fit a checkpoint's tensors, tower by tower and layer by layer.

Names and shapes must both fit. What fits nothing is reported with its reason, never guessed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fpcheck.checkpoint import Checkpoint, Tensor
from fpcheck.checkpoint.config import flag, is_stated, model_types
from fpcheck.checkpoint.dtypes import MEASURABLE
from fpcheck.fitting import Layers, depth, fault, fits_width, width
from fpcheck.layouts import LAYOUTS, Layout, Role
from fpcheck.packing import Pattern, channels, over_bias, over_matrix, whole
from fpcheck.stacks import largest_stack, readings

# The deepest models have a few hundred layers; a table of more is no model.
MAX_LAYERS = 2_000

Tails = frozenset[str]


@dataclass(frozen=True)
class Piece:
    """One tensor and which of its elements, row-major, serve which role."""

    tensor: Tensor
    pattern: Pattern


@dataclass(frozen=True)
class Tower:
    """One stack of attention layers: the prefix above the layer numbers, and its pieces."""

    name: str
    layout: str
    cross: bool
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
    faults: list[str] = []
    notes: list[str] = []
    main = largest_stack(checkpoint.tensors).name
    for (prefix, tails), every in sorted(_stacks(checkpoint).items(), key=_by_name):
        rows = [row for row in LAYOUTS if frozenset(row.tails.values()) == tails]
        layers, left_out = _belonging(prefix, rows, every, prefix == main, checkpoint.config)
        row, pooled = _choose(rows, layers, checkpoint)
        tower, found = _tower(prefix, row, layers, checkpoint, pooled)
        faults += found
        if tower:
            towers.append(tower)
            faults += left_out
            notes += _pooled_note(tower, row) if pooled else []
    return Attention(tuple(towers), tuple(dict.fromkeys(faults)), tuple(notes))


def _belonging(
    prefix: str, rows: list[Layout], layers: Layers, main: bool, config: Mapping[str, Any]
) -> tuple[Layers, list[str]]:
    """The layers that are the model's, and in words those that only carry its names.

    A loader ignores layers that its config does not count, and so must the profile: appended
    decoys would bend it at no cost. Matrices of another width cannot be of the same stack.
    """
    if len(layers) > MAX_LAYERS:
        return {}, [f"{prefix}: more than {MAX_LAYERS:,} layers"]
    limit = depth(prefix, config) if main else None
    within = {n: tensors for n, tensors in layers.items() if limit is None or n < limit}
    wanted = width(rows, within)
    kept = {n: tensors for n, tensors in within.items() if fits_width(rows, tensors, wanted)}
    left_out = []
    if len(within) < len(layers):
        beyond = min(set(layers) - set(within))
        left_out.append(f"{prefix}: layers from {beyond} on are beyond the config's {limit}")
    if len(kept) < len(within):
        odd = min(set(within) - set(kept))
        left_out.append(f"{prefix}.{odd}: its matrices are not of the stack's width, {wanted}")
    return kept, left_out


def _by_name(stack: tuple[tuple[str, Tails], Layers]) -> tuple[str, list[str]]:
    prefix, tails = stack[0]
    return prefix, sorted(tails)


def _pooled_note(tower: Tower, row: Layout) -> list[str]:
    return [
        f"{tower.name}: config.json does not settle how {row.tails[Role.QKV]} is packed; "
        "q, k and v are measured as one pooled role"
    ]


def _stacks(checkpoint: Checkpoint) -> dict[tuple[str, Tails], Layers]:
    """The tensors that some row names, by tower and by the row's set of tails."""
    index = _index()
    stacks: dict[tuple[str, Tails], Layers] = defaultdict(lambda: defaultdict(dict))
    for name, tensor in checkpoint.tensors.items():
        for prefix, layer, tail in readings(name):
            for tails in index.get(tail, ()):
                layers = stacks[prefix, tails]
                if layer in layers or len(layers) <= MAX_LAYERS:  # one too many is enough to know
                    layers[layer][tail] = tensor
    return {
        key: layers
        for key, layers in stacks.items()
        if any(tail in key[1] for tensors in layers.values() for tail in tensors)
    }


def _index() -> dict[str, set[Tails]]:
    index: dict[str, set[Tails]] = defaultdict(set)
    for row in LAYOUTS:
        tails = frozenset(row.tails.values())
        for tail in (*tails, *map(_bias, tails), *(tail for tail, _ in row.norms)):
            index[tail].add(tails)
    return index


def _bias(tail: str) -> str:
    return tail.removesuffix("weight") + "bias"


def _tower(
    prefix: str, row: Layout, layers: Layers, checkpoint: Checkpoint, pooled: bool
) -> tuple[Tower | None, list[str]]:
    """The layers that the row fits and the faults of the others; no tower when none fits."""
    found: dict[int, tuple[Piece, ...]] = {}
    faults: list[str] = []
    complete = False
    for number, tensors in sorted(layers.items()):
        present = {role: tensors[tail] for role, tail in row.tails.items() if tail in tensors}
        wrong = fault(row, present, checkpoint)
        if wrong:
            faults.append(f"{prefix}.{number}: {wrong}")
        elif present:
            complete = complete or len(present) == len(row.tails)
            found[number] = _pieces(row, present, tensors, checkpoint.config, pooled)
    if not complete:  # a few of the names only: some other layout's, or a stripped file
        return None, faults
    name = f"{prefix} (cross-attention)" if row.cross else prefix
    return Tower(name, row.name, row.cross, found), faults


def _choose(rows: list[Layout], layers: Layers, checkpoint: Checkpoint) -> tuple[Layout, bool]:
    """The row that config and shapes select, and whether q, k, v must be pooled."""
    fitting = [row for row in rows if _splits(row, layers, checkpoint.config)]
    named = [row for row in rows if _named(row, checkpoint)]
    for row in fitting:
        if row in named or (row.settled and not named):
            return row, False
    return (named or rows)[0], Role.QKV in rows[0].tails


def _named(row: Layout, checkpoint: Checkpoint) -> bool:
    if not model_types(checkpoint.config) & row.model_types:
        return False
    for key, needed, default in row.flags:
        value = flag(checkpoint.config, key)
        if value is None and is_stated(checkpoint.config, key):
            return False  # stated twice and differently: nothing settles the packing
        if (default if value is None else value) != needed:
            return False
    return True


def _splits(row: Layout, layers: Layers, config: Mapping[str, Any]) -> bool:
    """Whether the row's packing fits every fused tensor of the stack."""
    if Role.QKV not in row.tails:
        return True
    both = [
        (tensors[row.tails[Role.QKV]], tensors[row.tails[Role.O]])
        for tensors in layers.values()
        if set(row.tails.values()) <= set(tensors)
    ]
    return all(channels(row, fused.shape, o.shape, config) is not None for fused, o in both)


def _pieces(
    row: Layout,
    present: Mapping[Role, Tensor],
    tensors: Mapping[str, Tensor],
    config: Mapping[str, Any],
    pooled: bool,
) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    for role, tensor in present.items():
        axis = whole(role, tensor.shape[1 if row.transposed else 0])
        if role is Role.QKV and not pooled and Role.O in present:
            axis = channels(row, tensor.shape, present[Role.O].shape, config) or axis
        pieces.append(Piece(tensor, over_matrix(axis, tensor.shape, transposed=row.transposed)))
        bias = tensors.get(_bias(row.tails[role]))
        if bias is not None and _is_vector(bias) and bias.count == axis.length:
            pieces.append(Piece(bias, over_bias(axis)))
    norms = [(tensors[tail], role) for tail, role in row.norms if tail in tensors]
    return (*pieces, *(Piece(t, whole(role, t.count)) for t, role in norms if _is_vector(t)))


def _is_vector(tensor: Tensor) -> bool:
    return len(tensor.shape) == 1 and tensor.count > 1 and tensor.dtype in MEASURABLE
