"""Which bytes to read in what order, and which of a tensor's elements are reduced together.

The units depend on the tensor alone, never on how it is read: that keeps the numbers the same for
every source, read size and number of threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from fpcheck.attention import Piece
from fpcheck.checkpoint import Tensor
from fpcheck.checkpoint.coding import Block, Coding
from fpcheck.layouts import Role
from fpcheck.signature.decode import STORED
from fpcheck.signature.kernels import UNIT

# Bytes that a thread is given at a time; with less, the handing out would show.
BATCH = 16 << 20
# What lies between two units is read with them, up to this share of a read; beyond it, two reads
# are cheaper.
GAP = 1 / 16

Runs = tuple[tuple[Role, int], ...]


class Unit(NamedTuple):
    """Neighbouring elements of one tensor: `rows` × the runs of roles, bytes `start:stop`.

    `owner` is the place of its piece among all pieces, `first` the index of its first element.
    """

    owner: int
    tensor: Tensor
    first: int
    rows: int
    runs: Runs
    start: int
    stop: int


class CodedUnit(NamedTuple):
    """One block of a matrix whose values follow from codes."""

    owner: int
    coding: Coding
    piece: Piece
    block: Block


class Read(NamedTuple):
    """Bytes `start:stop` of one file, and the units in them, in order."""

    file: str
    start: int
    stop: int
    units: tuple[Unit, ...]


Job = Read | CodedUnit


def plan(pieces: Sequence[Piece], read_size: int) -> Iterator[tuple[Job, ...]]:
    """Every read of the pieces, in the order of files and bytes, batch by batch; then the codes."""
    batch: list[Job] = []
    size = 0
    jobs: Iterator[Job] = chain(_reads(_units(pieces), read_size), _coded_units(pieces))
    for job in jobs:
        batch.append(job)
        size += job.stop - job.start if isinstance(job, Read) else job.block.elements
        if size >= BATCH:
            yield tuple(batch)
            batch, size = [], 0
    if batch:
        yield tuple(batch)


def bytes_of(piece: Piece) -> int:
    """How many bytes of a piece's own tensor are read."""
    tensor = piece.tensor
    if tensor.coding:
        return tensor.stop - tensor.start
    return piece.pattern.length * STORED[tensor.dtype].itemsize


def _reads(units: Iterable[Unit], read_size: int) -> Iterator[Read]:
    """Units that lie close together, read in one go."""
    group: list[Unit] = []
    for unit in units:
        if group and not _joins(group[0], group[-1], unit, read_size):
            yield _read(group)
            group = []
        group.append(unit)
    if group:
        yield _read(group)


def _joins(first: Unit, last: Unit, unit: Unit, read_size: int) -> bool:
    return (
        unit.tensor.file == first.tensor.file
        and 0 <= unit.start - last.stop <= read_size * GAP
        and unit.stop - first.start <= read_size
    )


def _read(group: Sequence[Unit]) -> Read:
    return Read(group[0].tensor.file, group[0].start, group[-1].stop, tuple(group))


def _units(pieces: Sequence[Piece]) -> Iterator[Unit]:
    for owner in _in_order(pieces, coded=False):
        tensor, first = pieces[owner].tensor, 0
        size = STORED[tensor.dtype].itemsize
        for rows, runs in _cuts(pieces[owner]):
            start, count = tensor.start + first * size, rows * sum(n for _, n in runs)
            yield Unit(owner, tensor, first, rows, runs, start, start + count * size)
            first += count


def _coded_units(pieces: Sequence[Piece]) -> Iterator[CodedUnit]:
    for owner in _in_order(pieces, coded=True):
        coding = pieces[owner].tensor.coding
        if coding:
            yield from (CodedUnit(owner, coding, pieces[owner], b) for b in coding.blocks())


def _in_order(pieces: Sequence[Piece], *, coded: bool) -> list[int]:
    wanted = [i for i, piece in enumerate(pieces) if bool(piece.tensor.coding) is coded]
    return sorted(wanted, key=lambda i: _place(pieces[i]))


def _place(piece: Piece) -> tuple[str, int]:
    return piece.tensor.file, piece.tensor.start


def _cuts(piece: Piece) -> Iterator[tuple[int, Runs]]:
    """The rows and runs of each unit: whole repeats that make about one, or parts of a segment."""
    pattern = piece.pattern
    if pattern.period <= UNIT:
        step = UNIT // pattern.period
        for row in range(0, pattern.repeats, step):
            yield min(step, pattern.repeats - row), pattern.sequence
        return
    for _ in range(pattern.repeats):
        for role, length in pattern.sequence:
            for offset in range(0, length, UNIT):
                yield 1, ((role, min(UNIT, length - offset)),)
