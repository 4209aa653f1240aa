"""Which bytes to read in what order, and which of a tensor's elements are reduced together.

The units depend on the tensor alone, never on how it is read: that keeps the numbers the same for
every source, read size and number of threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from fpcheck.attention import Piece
from fpcheck.checkpoint import Tensor
from fpcheck.layouts import Role
from fpcheck.signature.decode import STORED
from fpcheck.signature.kernels import UNIT

# Bytes that a thread is given at a time; less, and handing them out would show.
BATCH = 8 << 20
# What lies between two units is read with them up to this share of a read; beyond it, two reads
# are cheaper.
GAP = 1 / 16


@dataclass(frozen=True, slots=True)
class Unit:
    """Neighbouring elements of one tensor: `rows` × the runs of roles.

    `owner` is the place of its piece among all pieces, `first` the index of its first element.
    """

    owner: int
    tensor: Tensor
    first: int
    rows: int
    runs: tuple[tuple[Role, int], ...]

    @property
    def period(self) -> int:
        """Number of elements in one row."""
        return sum(length for _, length in self.runs)

    @property
    def start(self) -> int:
        """Where its bytes start in the file."""
        return self.tensor.start + self.first * STORED[self.tensor.dtype].itemsize

    @property
    def stop(self) -> int:
        """Where its bytes end in the file."""
        return self.start + self.rows * self.period * STORED[self.tensor.dtype].itemsize


@dataclass(frozen=True, slots=True)
class Read:
    """Units of one file, in order, whose bytes are read in one go."""

    units: tuple[Unit, ...]

    @property
    def file(self) -> str:
        return self.units[0].tensor.file

    @property
    def start(self) -> int:
        return self.units[0].start

    @property
    def stop(self) -> int:
        return self.units[-1].stop


def plan(pieces: Sequence[Piece], read_size: int) -> Iterator[tuple[Read, ...]]:
    """Every read of the pieces, in the order of files and bytes, batch by batch."""
    batch: list[Read] = []
    for read in _reads(_units(pieces), read_size):
        batch.append(read)
        if sum(r.stop - r.start for r in batch) >= BATCH:
            yield tuple(batch)
            batch = []
    if batch:
        yield tuple(batch)


def _units(pieces: Sequence[Piece]) -> Iterator[Unit]:
    places = sorted(range(len(pieces)), key=lambda i: _place(pieces[i]))
    for owner in places:
        cut = _long if pieces[owner].pattern.period > UNIT else _short
        yield from cut(owner, pieces[owner])


def _place(piece: Piece) -> tuple[str, int]:
    return piece.tensor.file, piece.tensor.start


def _long(owner: int, piece: Piece) -> Iterator[Unit]:
    """Each segment of each repeat by itself, cut where it is longer than a unit."""
    first = 0
    for _ in range(piece.pattern.repeats):
        for role, length in piece.pattern.sequence:
            for offset in range(0, length, UNIT):
                run = (role, min(UNIT, length - offset))
                yield Unit(owner, piece.tensor, first + offset, 1, (run,))
            first += length


def _short(owner: int, piece: Piece) -> Iterator[Unit]:
    """As many whole repeats as make about one unit."""
    pattern = piece.pattern
    step = UNIT // pattern.period
    for row in range(0, pattern.repeats, step):
        rows = min(step, pattern.repeats - row)
        yield Unit(owner, piece.tensor, row * pattern.period, rows, pattern.sequence)


def _reads(units: Iterable[Unit], read_size: int) -> Iterator[Read]:
    group: list[Unit] = []
    for unit in units:
        if group and not _joins(group, unit, read_size):
            yield Read(tuple(group))
            group = []
        group.append(unit)
    if group:
        yield Read(tuple(group))


def _joins(group: list[Unit], unit: Unit, read_size: int) -> bool:
    """Whether a unit can be read in one go with the ones before it."""
    return (
        unit.tensor.file == group[0].tensor.file
        and 0 <= unit.start - group[-1].stop <= read_size * GAP
        and unit.stop - group[0].start <= read_size
    )
