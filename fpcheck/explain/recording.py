"""A checkpoint's header as a test keeps it: names, shapes, dtypes, and what was made of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from fpcheck.attention import Piece, Tower, find_attention
from fpcheck.checkpoint import Checkpoint, Tensor
from fpcheck.errors import CheckError, UsageError
from fpcheck.explain.meanings import leaf_of, meaning_of, rows_of
from fpcheck.explain.names import form_of
from fpcheck.explain.noted import Noted
from fpcheck.filling import POOLED_ROLES
from fpcheck.fitting import matrix
from fpcheck.layouts import MATRICES, Kind, Layout, Role
from fpcheck.packing import spans
from fpcheck.stacks import is_text, place_of

LAYERS = 3  # of each stack; fewer would not show that layers are told apart
MAX_PARTS = 4_096  # of one tensor: no model has so many heads
CHECK = (
    "The slices are as fpcheck understands them now. Check these against the architecture's own "
    "code before you commit them, then remove this line."
)

Ranges = list[list[int]]
Slice = tuple[int, Ranges] | None


def record(
    whole: Checkpoint, *, layers: int = LAYERS, tower: str = "", layer: int | None = None
) -> dict[str, Any]:
    """The header of a decoded checkpoint, narrowed to the first layers of each stack and tower.

    The slices are those of `layer` of `tower`. Quantised matrices are recorded as what they stand
    for. Raises CheckError for what would be no test: no attention, fused tensors that nothing
    settles; UsageError for a tower or layer that is not there.
    """
    narrowed = _narrowed(whole, find_attention(whole).towers, layers)
    config = Noted(whole.config)
    attention = find_attention(replace(narrowed, config=config))
    chosen = _chosen(attention.towers, tower, attention.unmeasured)
    _refuse_pooled(attention.towers)
    tensors = {name: [t.dtype, list(t.shape)] for name, t in narrowed.tensors.items()}
    origin = f"{whole.model_type or 'no model type'}, recorded"
    read = {"origin": origin, "config": config.kept()}
    return {"check": CHECK, **read, **_understood(chosen, layer), "tensors": tensors}


def _understood(tower: Tower, wanted: int | None) -> dict[str, Any]:
    layer = _layer(tower, wanted)
    return {
        "layout": _layout(tower, layer),
        "tower": tower.name,
        "layers": sorted(tower.layers),
        "layer": layer,
        "slices": _slices(tower.layers[layer]),
    }


def size_of(header: Mapping[str, Any]) -> int:
    """How many numbers a test fills a header's tensors with."""
    return sum(
        Tensor("", "", tuple(shape), "", 0, 0).count for _, shape in header["tensors"].values()
    )


def _narrowed(checkpoint: Checkpoint, towers: Iterable[Tower], layers: int) -> Checkpoint:
    """The measurable tensors of the first layers of each stack and of each tower.

    Of other tensors with more numbers in their names (experts), the first of each number do.
    """
    used, kept = set[str](), _first_layers(checkpoint, layers)
    for tower in towers:
        for place, depth in enumerate(sorted(tower.layers)):
            names = {piece.tensor.name for piece in tower.layers[depth]}
            used |= names if place < layers else set()
            for found in filter(None, map(place_of, names if place < layers else ())):
                kept[found.stack].add(found.layer)

    def is_kept(name: str, tensor: Tensor) -> bool:
        place = place_of(name)
        if name in used or place is None or not tensor.is_measurable:
            return name in used
        inner = form_of(place.below)[1]
        return place.layer in kept[place.stack] and all(number < layers for number in inner)

    tensors = {name: t for name, t in checkpoint.tensors.items() if is_kept(name, t)}
    return replace(checkpoint, tensors=tensors)


def _first_layers(checkpoint: Checkpoint, layers: int) -> dict[str, set[int]]:
    numbers: dict[str, set[int]] = defaultdict(set)
    for place in filter(None, map(place_of, checkpoint.tensors)):
        numbers[place.stack].add(place.layer)
    first = {stack: set(sorted(found)[:layers]) for stack, found in numbers.items()}
    return defaultdict(set, first)


def _chosen(towers: Iterable[Tower], name: str, unmeasured: Iterable[str]) -> Tower:
    """The tower of a name; without one, that of the text with the most weights."""
    found = {tower.name: tower for tower in towers}
    if not found:
        reasons = "; ".join(unmeasured) or "no layout of the table fits"
        hint = "add the layout first; `fpcheck layouts explain` says more"
        raise CheckError(f"no attention was found: {reasons}", hint=hint)
    if name and name not in found:
        raise UsageError(f"--tower {name}: there is none", hint=f"it has: {', '.join(found)}")
    return found[name] if name else max(found.values(), key=_importance)


def _layer(tower: Tower, wanted: int | None) -> int:
    """The layer whose slices are recorded: the first unless another is wanted."""
    if wanted is None:
        return min(tower.layers)
    if wanted not in tower.layers:
        kept = ", ".join(map(str, sorted(tower.layers)))
        hint = "more layers are kept with --layers"
        raise UsageError(
            f"--slices {wanted}: the layers kept of {tower.name} are {kept}", hint=hint
        )
    return wanted


def _importance(tower: Tower) -> tuple[bool, bool, int]:
    weights = sum(piece.tensor.count for layer in tower.layers.values() for piece in layer)
    return is_text(tower.name), tower.kind is Kind.SELF, weights


def _refuse_pooled(towers: Iterable[Tower]) -> None:
    for piece in (p for tower in towers for layer in tower.layers.values() for p in layer):
        if piece.pattern.sequence[0][0] in POOLED_ROLES:
            raise CheckError(
                f"{piece.tensor.name}: config.json does not settle how it is packed",
                hint="a row of the table has to say it: name its model type there first",
            )


def _layout(tower: Tower, layer: int) -> str:
    """The row that a layer is of: one that it has all of, and of such the one it has most of."""
    names = {piece.tensor.name for piece in tower.layers[layer]}

    def likeness(row: Layout) -> tuple[bool, int]:
        leaves = {leaf_of(name, row) for name in names} - {""}
        return row.required <= leaves, len(leaves)

    return max(rows_of(tower.layout), key=likeness).name


def _slices(pieces: Iterable[Piece]) -> dict[str, dict[str, Slice]]:
    """By role, the parts of tensors that serve it: an axis and ranges, or None for all of one."""
    found: dict[str, dict[str, Slice]] = defaultdict(dict)
    for piece in pieces:
        for role in dict.fromkeys(role for role, _ in piece.pattern.sequence):
            if role in MATRICES:
                found[role][piece.tensor.name] = _slice(piece, role)
    return dict(found)


def _slice(piece: Piece, role: Role) -> Slice:
    if len(piece.pattern.sequence) == 1:
        return None
    (share,) = meaning_of([piece], ()).shares
    if share.repeats * len(share.sequence) > MAX_PARTS:
        raise CheckError(
            f"{piece.tensor.name}: {share.repeats:,} heads are more than any model has"
        )
    axis, runs = spans(piece.pattern, matrix(piece.tensor))
    return axis, [[start, stop] for own, start, stop in runs if own is role]
