"""Measure a checkpoint's attention as its bytes stream by, in bounded memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from fpcheck.attention import Attention, Piece, Tower
from fpcheck.checkpoint import Checkpoint
from fpcheck.layouts import Role
from fpcheck.signature import Moments, TowerProfile
from fpcheck.signature.decode import STORED
from fpcheck.signature.kernels import UNIT, Scratch
from fpcheck.signature.moments import Part, merge, rounded
from fpcheck.signature.plan import bytes_of, plan
from fpcheck.signature.pool import run
from fpcheck.signature.reduce import Found, Reducer
from fpcheck.source import Source

# What the buffers and scratch of all threads may take together: half of what a check may take.
MEMORY = 128 << 20
Progress = Callable[[int, int], None]  # bytes done, bytes in all
Totals = Sequence[dict[Role, Part]]  # one for each piece


def measure(
    checkpoint: Checkpoint,
    attention: Attention,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> tuple[TowerProfile, ...]:
    """The moments of every role in every layer of every tower.

    `progress` is called on the calling thread. Raises NonFiniteError for a weight that is not
    finite, SourceError when bytes cannot be had.
    """
    pieces = [p for t in attention.towers for layer in sorted(t.layers) for p in t.layers[layer]]
    totals = _stream(checkpoint.source, pieces, workers, progress) if pieces else ()
    by_piece = iter(totals)
    return tuple(_profile(tower, by_piece) for tower in attention.towers)


def _stream(
    source: Source, pieces: Sequence[Piece], workers: int | None, progress: Progress | None
) -> Totals:
    """Read every piece once, on several threads; the parts are merged in the order of the bytes."""
    totals: Totals = [{} for _ in pieces]
    sizes = [bytes_of(piece) for piece in pieces]
    done, size = 0, sum(sizes)

    def take(found: Sequence[Found]) -> None:
        nonlocal done
        for owner, role, part in found:
            parts = totals[owner]
            parts[role] = merge((parts[role], part)) if role in parts else part
            done += part.count * sizes[owner] // pieces[owner].pattern.length
        if progress:
            progress(done, size)

    room = _room(source, pieces)
    threads = min(workers or source.workers, MEMORY // (room + Scratch.BYTES))
    run(Reducer(source, room), plan(pieces, source.read_size), max(threads, 1), take)
    return totals


def _room(source: Source, pieces: Sequence[Piece]) -> int:
    """The size in bytes that no read exceeds."""
    plain = [STORED[p.tensor.dtype].itemsize for p in pieces if not p.tensor.coding]
    return max(source.read_size, UNIT * max(plain, default=8))


def _profile(tower: Tower, by_piece: Iterator[Mapping[Role, Part]]) -> TowerProfile:
    """A tower's moments, from the totals of its pieces and then of other towers' after them."""
    layers = tuple(sorted(tower.layers))
    found = [_moments([next(by_piece) for _ in tower.layers[layer]]) for layer in layers]
    roles = {role: tuple(layer.get(role) for layer in found) for role in Role}
    measured = {role: row for role, row in roles.items() if any(row)}
    return TowerProfile(tower.name, tower.layout, tower.kind, layers, measured)


def _moments(pieces: Sequence[Mapping[Role, Part]]) -> dict[Role, Moments]:
    """The moments of each role in one layer."""
    parts: dict[Role, list[Part]] = defaultdict(list)
    for piece in pieces:
        for role, part in piece.items():
            parts[role].append(part)
    return {role: rounded(merge(own)) for role, own in parts.items()}
