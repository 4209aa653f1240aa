"""Which bytes to read in what order, and which of a tensor's elements are reduced together.

The units depend on the tensor alone, never on how it is read: that keeps the numbers the same for
every source, read size and number of threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from fpcheck.attention import Piece
from fpcheck.checkpoint import Tensor
from fpcheck.checkpoint.coding import Block, Coding
from fpcheck.fitting import matrix
from fpcheck.layouts import Role
from fpcheck.signature.decode import STORED
from fpcheck.signature.kernels import UNIT
from fpcheck.signature.targets import Target

# Bytes that a thread is given at a time; with less, the handing out would show.
BATCH = 16 << 20
# What lies between two units is read with them, up to this share of a read; beyond it, two reads
# are cheaper.
GAP = 1 / 16
FAR = 1 << 15  # elements between two samples that are worth a read of its own

Runs = tuple[tuple[Role, int], ...]


class Unit(NamedTuple):
    """Neighbouring elements of one tensor: `rows` × the runs of roles, bytes `start:stop`.

    `owner` is the place of its target among all, `first` the index of its first element. Without
    runs only samples are wanted of it.
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
    piece: Piece | None
    block: Block


class Read(NamedTuple):
    """Bytes `start:stop` of one file, and the units in them, in order."""

    file: str
    start: int
    stop: int
    units: tuple[Unit, ...]


Job = Read | CodedUnit


def plan(targets: Sequence[Target], read_size: int) -> Iterator[tuple[Job, ...]]:
    """Every read of the targets, layer by layer and in the order of bytes, batch by batch.

    What follows from codes comes last.
    """
    batch: list[Job] = []
    size = 0
    jobs: Iterator[Job] = chain(_reads(_units(targets), read_size), _coded_units(targets))
    for job in jobs:
        batch.append(job)
        size += job.stop - job.start if isinstance(job, Read) else job.block.elements
        if size >= BATCH:
            yield tuple(batch)
            batch, size = [], 0
    if batch:
        yield tuple(batch)


def bytes_of(target: Target) -> int:
    """How many bytes of a target's own tensor are read, about."""
    tensor, piece = target.tensor, target.piece
    if piece is None:
        return 0  # so few that progress need not tell of them
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


def _units(targets: Sequence[Target]) -> Iterator[Unit]:
    for owner in _in_order(targets, coded=False):
        target, tensor = targets[owner], targets[owner].tensor
        size = STORED[tensor.dtype].itemsize
        for first, rows, runs, count in _whole(target.piece) if target.piece else _spots(target):
            start = tensor.start + first * size
            yield Unit(owner, tensor, first, rows, runs, start, start + count * size)


def _whole(piece: Piece) -> Iterator[tuple[int, int, Runs, int]]:
    """All elements of a piece: the first of each unit, its rows and runs, and how many it has."""
    first = 0
    for rows, runs in _cuts(piece):
        count = rows * sum(length for _, length in runs)
        yield first, rows, runs, count
        first += count


def _spots(target: Target) -> Iterator[tuple[int, int, Runs, int]]:
    """The same of samples that lie close together, and of what is between them."""
    for pick in target.picks():
        apart = np.nonzero(np.diff(pick.elements) > FAR)[0] + 1
        for near in np.split(pick.elements, apart):
            for cut in range(int(near[0]), int(near[-1]) + 1, UNIT) if near.size else ():
                own = near[(near >= cut) & (near < cut + UNIT)]
                if own.size:
                    yield int(own[0]), 1, (), int(own[-1] - own[0]) + 1


def _coded_units(targets: Sequence[Target]) -> Iterator[CodedUnit]:
    for owner in _in_order(targets, coded=True):
        target, coding = targets[owner], targets[owner].tensor.coding
        if coding:
            blocks = (b for b in coding.blocks() if target.piece or _is_sampled(target, b))
            yield from (CodedUnit(owner, coding, target.piece, block) for block in blocks)


def _is_sampled(target: Target, block: Block) -> bool:
    """Whether a block has any of the samples that are wanted."""
    columns = matrix(target.tensor)[-1]
    for pick in target.picks():
        row, column = np.divmod(pick.elements, columns)
        inside = (row >= block.row) & (row < block.row + block.rows)
        if np.any(inside & (column >= block.column) & (column < block.column + block.columns)):
            return True
    return False


def _in_order(targets: Sequence[Target], *, coded: bool) -> list[int]:
    """The targets of the layer that comes first in the files, in the order of bytes, and so on.

    Layers are finished one after the other, however a file orders its tensors.
    """
    wanted = [i for i, target in enumerate(targets) if bool(target.tensor.coding) is coded]
    groups: dict[int, tuple[str, int]] = {}
    for i in wanted:
        group, place = targets[i].group, _place(targets[i])
        groups[group] = min(groups.get(group, place), place)
    return sorted(
        wanted, key=lambda i: (groups[targets[i].group], targets[i].group, _place(targets[i]))
    )


def _place(target: Target) -> tuple[str, int]:
    return target.tensor.file, target.tensor.start


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
