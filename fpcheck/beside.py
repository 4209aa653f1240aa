"""What lies beside an attention block: the other tensors of its layer, under short names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fpcheck.attention import Piece, Tower
from fpcheck.checkpoint import Checkpoint, Tensor
from fpcheck.fitting import matrix
from fpcheck.layouts import MATRICES, Role
from fpcheck.stacks import Place, place_of

# XLM has a stack for each part of a layer: `attentions.3.q_lin`, `ffns.3.lin1`, `layer_norm1.3`.
SPLIT_STACK = "attentions"
# What takes the layer's own width, the surest first: where q has a latent, q itself takes that.
_TAKE_WIDTH = (Role.Q_LATENT, Role.KV_LATENT, Role.QKV, Role.K, Role.KV, Role.Q, Role.Q_GATE)
_GIVE_WIDTH = (Role.O_LATENT, Role.O)


@dataclass(frozen=True)
class Layer:
    """A layer around an attention block.

    `tensors` by name below the layer, `module` the attention's below it, `pieces` its own;
    `takes` and `gives` are how many inputs attention takes and outputs it adds (None: not clear),
    `transposed` says that its matrices are stored as inputs × outputs.
    """

    stack: str
    module: str
    tensors: Mapping[str, Tensor]
    pieces: tuple[Piece, ...]
    takes: int | None
    gives: int | None
    transposed: bool


def layers_of(checkpoint: Checkpoint, tower: Tower) -> dict[int, Layer]:
    """The layers of a tower by depth; without those whose names have no number."""
    places = {depth: place for depth, place in _places(tower) if place}
    prefixes = {depth: _prefix(place) for depth, place in places.items()}
    found = _grouped(checkpoint, set(prefixes.values()))
    return {
        depth: _layer(places[depth], prefixes[depth], tower.layers[depth], found[prefixes[depth]])
        for depth in sorted(places)
    }


def _places(tower: Tower) -> Iterator[tuple[int, Place | None]]:
    """Where each layer's own attention lies: k and v may be another layer's."""
    for depth, pieces in tower.layers.items():
        own = [p for p in pieces if _role(p) in (Role.O, Role.O_LATENT, Role.Q, Role.QKV)]
        named = own or [p for p in pieces if _role(p) in MATRICES]
        yield depth, place_of(named[0].tensor.name) if named else None


def _role(piece: Piece) -> Role:
    return piece.pattern.sequence[0][0]


def _prefix(place: Place) -> tuple[str, ...]:
    """The layer's name in parts: with what further numbers follow, where layers come in blocks."""
    parts = place.below.split(".")
    inner = next((at for at, part in enumerate(parts) if not part.isdigit()), 0)
    return (place.stack, str(place.layer), *parts[:inner])


def _grouped(
    checkpoint: Checkpoint, prefixes: set[tuple[str, ...]]
) -> dict[tuple[str, ...], dict[str, Tensor]]:
    """The tensors below each prefix, by what follows it."""
    found: dict[tuple[str, ...], dict[str, Tensor]] = defaultdict(dict)
    split = {p[0].rpartition(".")[0] for p in prefixes if p[0].endswith(SPLIT_STACK)}
    for name, tensor in checkpoint.tensors.items():
        place = place_of(name)
        if place is None:
            continue
        parent, _, last = place.stack.rpartition(".")
        if parent in split:
            place = Place(f"{parent}.{SPLIT_STACK}", place.layer, f"{last}.{place.below}")
        parts = place.below.split(".")
        for inner in range(len(parts)):
            prefix = (place.stack, str(place.layer), *parts[:inner])
            if prefix in prefixes:
                found[prefix][".".join(parts[inner:])] = tensor
            if not parts[inner].isdigit():
                break
    return found


def _layer(
    place: Place, prefix: tuple[str, ...], pieces: tuple[Piece, ...], tensors: dict[str, Tensor]
) -> Layer:
    below = place.below.split(".")[len(prefix) - 2 :]
    takes = _matrix(pieces, _TAKE_WIDTH)
    gives = _matrix(pieces, _GIVE_WIDTH)
    return Layer(
        stack=place.stack,
        module=".".join(below[:-1]),
        tensors=tensors,
        pieces=pieces,
        takes=None if takes is None else _shape(takes)[1],
        gives=None if gives is None else _shape(gives)[0],
        transposed=any(piece.transposed for piece in pieces),
    )


def _matrix(pieces: tuple[Piece, ...], roles: tuple[Role, ...]) -> Piece | None:
    flat = [piece for piece in pieces if len(matrix(piece.tensor)) >= 2]
    return next((piece for role in roles for piece in flat if _holds(piece, role)), None)


def _holds(piece: Piece, role: Role) -> bool:
    return any(held is role for held, _ in piece.pattern.sequence)


def _shape(piece: Piece) -> tuple[int, int]:
    """Outputs and inputs; of stacks, those of each matrix; XLNet's o and q begin with the width."""
    *stack, outputs, inputs = matrix(piece.tensor)
    if stack and _role(piece) in (Role.Q, Role.K, Role.O):
        is_o = _role(piece) is Role.O
        return (stack[0], outputs * inputs) if is_o else (outputs * inputs, stack[0])
    return (inputs, outputs) if piece.transposed else (outputs, inputs)
