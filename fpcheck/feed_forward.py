"""Find the feed-forward matrices of each layer, and where their elements are stored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from fpcheck.attention import Tower
from fpcheck.beside import Layer, layers_of
from fpcheck.checkpoint import Checkpoint, Tensor
from fpcheck.checkpoint.config import model_types
from fpcheck.feed_forward_layouts import BY_UP, Order, Row

_EXPERT = re.compile(r"(?:^|[._])experts?[._](?:expert_)?(\d+)")
_LONGEST = max(leaf.count(".") for leaf in BY_UP) + 1  # parts of an up leaf
# Parts of names of small networks that are shaped like a feed-forward block and are none.
_OTHERS = ("router", "adapter", "lora", "norm", "indexer")


class FeedForwardRole(StrEnum):
    """What a matrix does in a feed-forward block; the gate is what the activation is taken of."""

    UP = "ff.up"
    GATE = "ff.gate"
    DOWN = "ff.down"


_UP_GATE = (FeedForwardRole.UP, FeedForwardRole.GATE)


@dataclass(frozen=True)
class Placed:
    """A role's matrix of `rows` outputs × `columns` inputs, and where it lies.

    Element (i, j) is number `first + i * row_step + j * column_step` of the tensor, row-major.
    """

    tensor: Tensor
    role: FeedForwardRole
    rows: int
    columns: int
    first: int
    row_step: int
    column_step: int


class _Matrix(NamedTuple):
    """The one matrix of a tensor, or the first of its stack: its stored rows and columns."""

    tensor: Tensor
    rows: int
    columns: int


def feed_forward(checkpoint: Checkpoint, tower: Tower) -> dict[int, tuple[Placed, ...]]:
    """The feed-forward matrices of a tower's layers, by depth; layers without are left out.

    Of a mixture the first expert stands for its layer, one that all tokens share only where there
    is no other; of several blocks the largest. Tensors may be coded.
    """
    types = model_types(checkpoint.config)
    found = {
        depth: min(_candidates(layer, types), key=lambda one: one[0], default=None)
        for depth, layer in layers_of(checkpoint, tower).items()
    }
    return {depth: chosen[1] for depth, chosen in found.items() if chosen}


def _candidates(
    layer: Layer, types: frozenset[str]
) -> Iterator[tuple[tuple[int, int, str], tuple[Placed, ...]]]:
    """The feed-forward blocks of a layer, each with what it is chosen by."""
    own = {piece.tensor.name for piece in layer.pieces}
    for name, tensor in layer.tensors.items():
        for module, leaf in _cuts(name):
            rank = _rank(name, tensor) if leaf in BY_UP and tensor.name not in own else None
            pieces = _fitting(layer, module, leaf, types) if rank is not None else ()
            if rank is not None and pieces:
                yield (rank, -tensor.count, name), pieces


def _cuts(name: str) -> Iterator[tuple[str, str]]:
    """A name cut into a module and a leaf of at most so many parts, the dot with the module."""
    parts = name.split(".")
    for cut in range(max(len(parts) - _LONGEST, 0), len(parts)):
        leaf = ".".join(parts[cut:])
        yield name.removesuffix(leaf), leaf


def _rank(name: str, tensor: Tensor) -> int | None:
    """The first expert, then what is no mixture, then what all tokens share; None: of no use."""
    if any(part.startswith(_OTHERS) or part == "gate" for part in name.split(".")):
        return None
    expert = _EXPERT.search(name)
    if "share" in name or "shexp" in name:
        return 2
    if expert and int(expert[1]):
        return None
    return 0 if expert or len(tensor.shape) > 2 else 1


def _fitting(layer: Layer, module: str, leaf: str, types: frozenset[str]) -> tuple[Placed, ...]:
    """The matrices of the row that a block follows; () where its shapes follow none.

    Rows of the architecture go first, then those that account for the most tensors.
    """
    rows = [row for row in BY_UP[leaf] if not row.types or row.types & types]
    for row in sorted(rows, key=lambda row: (not row.types, not row.gate)):
        found = _matrices(layer, module, row)
        pieces = _placed(row, found, layer) if found else ()
        if pieces:
            return pieces
    return ()


def _matrices(layer: Layer, module: str, row: Row) -> tuple[_Matrix, ...]:
    """The matrices of a row, up, down and, if it has one, the gate; () where one is missing."""
    leaves = (row.up, row.down, row.gate) if row.gate else (row.up, row.down)
    tensors = [layer.tensors[module + x] for x in leaves if module + x in layer.tensors]
    if len(tensors) < len(leaves) or not all(t.is_measurable for t in tensors):
        return ()
    if not row.experts:
        found = [_first(tensor) for tensor in tensors]
        return tuple(one for one in found if one) if all(found) else ()
    router = next((t for n, t in layer.tensors.items() if n.endswith(row.experts)), None)
    return _of_pile(tensors, router.shape[0] if router and router.shape else 0)


def _first(tensor: Tensor) -> _Matrix | None:
    if len(tensor.shape) not in (2, 3) or not tensor.count:
        return None
    return _Matrix(tensor, tensor.shape[-2], tensor.shape[-1])


def _of_pile(tensors: list[Tensor], experts: int) -> tuple[_Matrix, ...]:
    """The first expert's matrices where those of all lie below each other."""
    if not experts or any(len(t.shape) != 2 or t.shape[0] % experts for t in tensors):
        return ()
    return tuple(_Matrix(t, t.shape[0] // experts, t.shape[1]) for t in tensors)


def _placed(row: Row, found: tuple[_Matrix, ...], layer: Layer) -> tuple[Placed, ...]:
    """The matrices of a block whose shapes fit together and the layer's width; else ().

    A square one says nothing of its orientation: then a matrix is stored as attention's are, and
    an expert's as outputs × inputs.
    """
    first = layer.transposed and len(found[0].tensor.shape) == 2
    for transposed in (first, not first):
        up = _turned(found[0], FeedForwardRole.UP, transposed)
        down = _turned(found[1], FeedForwardRole.DOWN, transposed != bool(row.experts))
        gates = [_turned(one, FeedForwardRole.GATE, transposed) for one in found[2:]]
        if up.columns != down.rows or down.rows not in (layer.takes, layer.gives):
            continue
        if up.rows == down.columns and all(
            (g.rows, g.columns) == (up.rows, up.columns) for g in gates
        ):
            return (up, *gates, down)
        if row.order and not gates and up.rows == 2 * down.columns:
            return (*_halves(up, row.order), down)
    return ()


def _turned(one: _Matrix, role: FeedForwardRole, transposed: bool) -> Placed:
    if transposed:
        return Placed(one.tensor, role, one.columns, one.rows, 0, 1, one.columns)
    return Placed(one.tensor, role, one.rows, one.columns, 0, one.columns, 1)


def _halves(both: Placed, order: Order) -> tuple[Placed, Placed]:
    """Up and the gate out of the tensor that holds both."""
    rows, apart = both.rows // 2, 1 if order is Order.ALTERNATING else both.rows // 2
    step = both.row_step * (2 if order is Order.ALTERNATING else 1)
    up_last = order is not Order.UP_GATE
    starts = (apart, 0) if up_last else (0, apart)
    up, gate = (
        replace(both, role=role, rows=rows, first=start * both.row_step, row_step=step)
        for role, start in zip(_UP_GATE, starts, strict=True)
    )
    return up, gate
