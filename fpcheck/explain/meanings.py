"""What one tensor means in its layer: which of its channels serve which role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fpcheck.attention import Piece
from fpcheck.filling import PLAIN, SHARED
from fpcheck.fitting import matrix
from fpcheck.layouts import LAYOUTS, MATRICES, Holds, Layout, Role
from fpcheck.packing import Pattern

ROWS = {row.name: row for row in LAYOUTS}
# What layouts say that the role says as well.
PLAINLY = frozenset({*filter(set(Role).__contains__, Holds), Holds.Q_LATENT, Holds.O_LATENT})


@dataclass(frozen=True)
class Share:
    """How roles share a tensor: `repeats` × so many rows, columns or elements of each."""

    along: str
    repeats: int
    sequence: tuple[tuple[Role, int], ...]


@dataclass(frozen=True)
class Meaning:
    """The roles that a tensor serves, and its share of each where it is not all of it.

    `holds` is what its layout says of it, where that says more than the roles do; `transposed`
    means that it is stored with its inputs first.
    """

    roles: tuple[Role, ...]
    shares: tuple[Share, ...]
    holds: str
    transposed: bool


def rows_of(layout: str) -> tuple[Layout, ...]:
    """The rows of the table that a tower's layout names."""
    return tuple(ROWS[name] for name in layout.split(" + ") if name in ROWS)


def meaning_of(pieces: Sequence[Piece], rows: Sequence[Layout]) -> Meaning:
    """What the pieces of one tensor say of it together."""
    roles = tuple(dict.fromkeys(role for p in pieces for role, _ in p.pattern.sequence))
    shared = [piece for piece in pieces if len(piece.pattern.sequence) > 1]
    name, is_matrix = pieces[0].tensor.name, roles[0] in MATRICES
    own = [row for row in rows if is_matrix and leaf_of(name, row)]
    return Meaning(
        roles=roles,
        shares=tuple(map(_share, shared)),
        holds=_holds(name, roles, own),
        transposed=bool(own) and all(row.transposed for row in own),
    )


def leaf_of(name: str, row: Layout) -> str:
    """The leaf of a row that a tensor's name ends in, or ""."""
    found = (leaf for leaf in row.leaves if name == leaf or name.endswith(f".{leaf}"))
    return max(found, key=len, default="")


def _holds(name: str, roles: tuple[Role, ...], rows: Sequence[Layout]) -> str:
    """What the layout says, if it can be one thing only and is not the role itself."""
    said = {row.leaves[leaf_of(name, row)] for row in rows}
    possible = [holds for holds in said if _admits(holds, roles)]
    return possible[0].value if len(possible) == 1 and possible[0] not in PLAINLY else ""


def _admits(holds: Holds, roles: tuple[Role, ...]) -> bool:
    """Whether what a layout says is true of the roles, as far as one can tell without sizes."""
    known = SHARED.get(holds) or ((PLAIN[holds],) if holds in PLAIN else ())
    return set(known) == set(roles) if known else len(roles) > 1


def _share(piece: Piece) -> Share:
    """The pattern of elements in rows or columns; of a vector, as it is."""
    shape, pattern = matrix(piece.tensor), piece.pattern
    if len(shape) < 2:
        return Share("elements", pattern.repeats, pattern.sequence)
    if any(length % shape[-1] for _, length in pattern.sequence):
        return Share("columns", *_shortest(pattern))
    rows = tuple((role, length // shape[-1]) for role, length in pattern.sequence)
    return Share("rows", pattern.repeats, rows)


def _shortest(pattern: Pattern) -> tuple[int, tuple[tuple[Role, int], ...]]:
    """The columns of one row, as repeats of the shortest sequence that gives them."""
    sequence = pattern.sequence
    for size in (n for n in range(1, len(sequence)) if len(sequence) % n == 0):
        if sequence[:size] * (len(sequence) // size) == sequence:
            return len(sequence) // size, sequence[:size]
    return 1, sequence
