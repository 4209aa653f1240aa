"""From a read to what its units add to the moments, in memory that each thread keeps."""

from __future__ import annotations

import mmap
import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate

import numpy as np

from fpcheck.checkpoint import Tensor
from fpcheck.errors import NonFiniteError
from fpcheck.layouts import Role
from fpcheck.signature.coded import coded_parts
from fpcheck.signature.decode import STORED, Stored, decode
from fpcheck.signature.found import Found, take, take_block
from fpcheck.signature.kernels import Scratch, part_of
from fpcheck.signature.plan import CodedUnit, Job, Read, Unit
from fpcheck.signature.targets import Target
from fpcheck.source import Source
from fpcheck.source import read as read_range

KEPT, KEPT_SIZE = 8, 1 << 20  # ranges that a thread keeps of codes, and the bytes of the largest
PAGE, LINE = 4096, 64  # bytes: what the kernel copies at a time, and the processor's cache


class Reducer(threading.local):
    """Reads and reduces batches; every thread that calls it has a buffer and scratch of its own."""

    def __init__(self, source: Source, targets: Sequence[Target], room: int) -> None:
        """`room` is the size in bytes of the largest read."""
        self._source = source
        self._targets = targets
        self._buffer = memoryview(mmap.mmap(-1, room + PAGE))
        self._scratch = Scratch()
        self._kept: dict[tuple[str, int, int], bytearray] = {}

    def __call__(self, batch: Iterable[Job]) -> Found:
        """What the units of a batch add.

        Raises NonFiniteError and SourceError, and FormatError for codes that mean nothing.
        """
        found = Found()
        with np.errstate(all="ignore"):  # what overflows is done again, exactly
            for job in batch:
                if isinstance(job, Read):
                    self._reduce(job, found)
                else:
                    self._decode(job, found)
        return found

    def _decode(self, unit: CodedUnit, found: Found) -> None:
        values = unit.coding.values(unit.block, self._fetch)
        if unit.piece:
            for role, part in coded_parts(values, unit.piece, unit.block):
                found.parts.append((unit.owner, role, part))
        take_block(found, unit.owner, self._targets[unit.owner], values, unit.block)

    def _fetch(self, tensor: Tensor, start: int, stop: int) -> bytearray:
        """The bytes of a range; the last small ones are kept, for blocks share scales and order."""
        place = tensor.file, tensor.start + start, tensor.start + stop
        if place not in self._kept:
            content = read_range(self._source, *place)
            if len(content) > KEPT_SIZE:
                return content
            self._kept[place] = content
            if len(self._kept) > KEPT:
                del self._kept[next(iter(self._kept))]
        return self._kept[place]

    def _reduce(self, read: Read, found: Found) -> None:
        view = self._fill(read)
        for unit in read.units:
            stored = np.frombuffer(
                view[unit.start - read.start : unit.stop - read.start], STORED[unit.tensor.dtype]
            )
            for role, elements in _by_role(stored, unit) if unit.runs else ():
                part = part_of(elements, unit.tensor.dtype, self._scratch)
                if part is None:
                    raise _refusal(stored, unit)
                found.parts.append((unit.owner, role, part))
            take(found, unit.owner, self._targets[unit.owner], stored, unit.first)

    def _fill(self, read: Read) -> memoryview:
        """The bytes of a read, as far into a page as they are in the file's, down to a line.

        Some processors (AMD's Zen 3) copy five times slower to a few bytes further into the page.
        """
        place = read.start % PAGE // LINE * LINE
        view = self._buffer[place : place + read.stop - read.start]
        self._source.read_into(read.file, read.start, view)
        return view


def _by_role(stored: Stored, unit: Unit) -> Iterable[tuple[Role, Stored]]:
    """The elements of each role, row by row; in one copy where roles alternate."""
    if len(unit.runs) == 1:
        return ((unit.runs[0][0], stored),)
    table = stored.reshape(unit.rows, -1)
    columns: dict[Role, list[Stored]] = defaultdict(list)
    ends = accumulate(length for _, length in unit.runs)
    for (role, length), end in zip(unit.runs, ends, strict=True):
        columns[role].append(table[:, end - length : end])
    return ((role, np.concatenate(own, axis=1).reshape(-1)) for role, own in columns.items())


def _refusal(stored: Stored, unit: Unit) -> NonFiniteError:
    """The error that names the first element of a unit that is not finite."""
    values = np.empty(stored.size)
    decode(stored, unit.tensor.dtype, values)
    place = int(np.argmin(np.isfinite(values)))
    index = [int(i) for i in np.unravel_index(unit.first + place, unit.tensor.shape)]
    return NonFiniteError(
        f"{unit.tensor.file}: tensor {unit.tensor.name!r}: element {index} is {values[place]}",
        hint="no statistic of a tensor means anything with such a weight: repair it, or retrain",
    )
