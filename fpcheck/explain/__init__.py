"""How each tensor of a checkpoint was understood, for those who ask why it was measured so.

Nothing is decided here and no weight is read: it tells what `attention` and `coverage` found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fpcheck.attention import Piece, Tower, find_attention
from fpcheck.checkpoint import Checkpoint, Tensor
from fpcheck.coverage import Coverage, coverage
from fpcheck.explain.meanings import Meaning, meaning_of, rows_of
from fpcheck.explain.names import Names, form_of, names_of
from fpcheck.layouts import Kind, Role
from fpcheck.stacks import place_of

__all__ = ["Explanation", "Group", "Lent", "TowerRead", "explain"]

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Group:
    """Tensors whose names differ in numbers alone, and that are alike in all that is said here.

    `shape` and `dtype` are None where they differ; `stored` are the ends of the names that codes
    are stored under, `meaning` is None for what has no role in attention.
    """

    names: Names
    count: int
    weights: int
    shape: Shape | None
    dtype: str | None
    stored: tuple[str, ...]
    meaning: Meaning | None


@dataclass(frozen=True)
class Lent:
    """Layers that take some roles from the tensors of another."""

    layers: tuple[int, ...]
    source: int
    roles: tuple[Role, ...]


@dataclass(frozen=True)
class TowerRead:
    """One tower as it was understood."""

    name: str
    kind: Kind
    layouts: tuple[str, ...]
    layers: tuple[int, ...]
    tensors: tuple[Group, ...]
    lent: tuple[Lent, ...]


@dataclass(frozen=True)
class Explanation:
    """A checkpoint as it was understood.

    `unknown` are the matrices in layers that should have attention and where none was found,
    `others` all that has no role in attention and is not among those.
    """

    model_type: str
    towers: tuple[TowerRead, ...]
    covered: Coverage
    unmeasured: tuple[str, ...]
    notes: tuple[str, ...]
    unknown: tuple[Group, ...]
    others: tuple[Group, ...]


def explain(checkpoint: Checkpoint, undecoded: tuple[str, ...] = ()) -> Explanation:
    """How the tensors of a decoded checkpoint are understood, as `check` does it.

    `undecoded` says in words what could not be decoded of it.
    """
    attention = find_attention(checkpoint)
    covered = coverage(checkpoint, attention.towers)
    unknown, others = _rest(checkpoint, attention.towers, covered)
    strays = (f"{name}: a weight file that was not looked into" for name in checkpoint.strays)
    return Explanation(
        model_type=checkpoint.model_type,
        towers=tuple(map(_tower, attention.towers)),
        covered=covered,
        unmeasured=(*undecoded, *attention.unmeasured, *filter(None, [covered.gap]), *strays),
        notes=(*checkpoint.notes, *attention.notes),
        unknown=unknown,
        others=others,
    )


def _tower(tower: Tower) -> TowerRead:
    rows = rows_of(tower.layout)
    owners: dict[str, int] = {}
    meanings: dict[str, tuple[Tensor, Meaning]] = {}
    lent: dict[tuple[int, int], dict[Role, None]] = defaultdict(dict)
    for layer, pieces in tower.layers.items():
        for name, own in _by_tensor(pieces).items():
            if owners.setdefault(name, layer) == layer:
                meanings[name] = own[0].tensor, meaning_of(own, rows)
            else:
                roles = (role for piece in own for role, _ in piece.pattern.sequence)
                lent[layer, owners[name]] |= dict.fromkeys(roles)
    return TowerRead(
        tower.name,
        tower.kind,
        tuple(row.name for row in rows),
        tuple(tower.layers),
        tuple(_in_order(meanings.values())),
        tuple(_lent(lent)),
    )


def _by_tensor(pieces: Iterable[Piece]) -> Mapping[str, list[Piece]]:
    found: dict[str, list[Piece]] = defaultdict(list)
    for piece in pieces:
        found[piece.tensor.name].append(piece)
    return found


def _in_order(read: Iterable[tuple[Tensor, Meaning]]) -> list[Group]:
    """What is read, alike together: matrices in the order of their roles, then biases, norms."""
    alike: dict[object, list[tuple[Tensor, Meaning]]] = defaultdict(list)
    for tensor, meaning in read:
        form = form_of(tensor.name)[0]
        alike[form, tensor.shape, tensor.dtype, meaning].append((tensor, meaning))
    roles = {role: place for place, role in enumerate(Role)}
    groups = [_group([tensor for tensor, _ in own], own[0][1]) for own in alike.values()]
    return sorted(groups, key=lambda g: roles[g.meaning.roles[0]] if g.meaning else len(roles))


def _group(tensors: Sequence[Tensor], meaning: Meaning | None = None) -> Group:
    shapes, dtypes = {t.shape for t in tensors}, {t.dtype for t in tensors}
    return Group(
        names=names_of(tensor.name for tensor in tensors),
        count=len(tensors),
        weights=sum(tensor.count for tensor in tensors),
        shape=next(iter(shapes)) if len(shapes) == 1 else None,
        dtype=next(iter(dtypes)) if len(dtypes) == 1 else None,
        stored=_stored(tensors[0]),
        meaning=meaning,
    )


def _stored(tensor: Tensor) -> tuple[str, ...]:
    """What the tensors that a matrix is stored as are called in its module; () if itself alone."""
    names = [part.name for part in tensor.coding.stored] if tensor.coding else []
    module = tensor.name.rpartition(".")[0] + "."
    if set(names) <= {tensor.name}:
        return ()
    return tuple(n.removeprefix(module) if n.startswith(module) else _tail(n) for n in names)


def _tail(name: str) -> str:
    return ".".join(name.split(".")[-2:])


def _lent(lent: Mapping[tuple[int, int], Mapping[Role, None]]) -> Iterator[Lent]:
    """Layers that take the same from the same layer, together."""
    alike: dict[tuple[int, tuple[Role, ...]], list[int]] = defaultdict(list)
    for (layer, source), taken in lent.items():
        alike[source, tuple(taken)].append(layer)
    for (source, roles), layers in alike.items():
        yield Lent(tuple(layers), source, roles)


def _rest(
    checkpoint: Checkpoint, towers: Sequence[Tower], covered: Coverage
) -> tuple[tuple[Group, ...], tuple[Group, ...]]:
    """What no tower uses: the matrices of layers that lack attention, and all else."""
    pieces = (piece for tower in towers for layer in tower.layers.values() for piece in layer)
    used = {piece.tensor.name for piece in pieces}
    lacking = covered.layers - covered.measured - covered.without.keys()
    unknown: dict[object, list[Tensor]] = defaultdict(list)
    others: dict[object, list[Tensor]] = defaultdict(list)
    for name, tensor in checkpoint.tensors.items():
        if name not in used:
            place = place_of(name) if lacking and len(tensor.shape) > 1 else None
            is_unknown = place and place.stack == covered.stack and place.layer in lacking
            (unknown if is_unknown else others)[form_of(name)[0]].append(tensor)
    return _largest_first(unknown), _largest_first(others)


def _largest_first(alike: Mapping[object, list[Tensor]]) -> tuple[Group, ...]:
    groups = map(_group, alike.values())
    return tuple(sorted(groups, key=lambda group: (-group.weights, str(group.names))))
