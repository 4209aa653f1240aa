"""Every element is read once, in units that nothing but the tensor decides."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from fpcheck.attention import Piece
from fpcheck.checkpoint import Tensor
from fpcheck.layouts import Role
from fpcheck.packing import Pattern, whole
from fpcheck.signature import plan as module
from fpcheck.signature.kernels import UNIT
from fpcheck.signature.plan import BATCH, Read, Unit, plan
from fpcheck.signature.targets import Target

MIB = 1 << 20


def piece(pattern: Pattern, start: int = 0, file: str = "a") -> Piece:
    """A BF16 tensor of that pattern, alone at that place of a file."""
    shape = (pattern.length,)
    return Piece(Tensor("t", "BF16", shape, file, start, start + 2 * pattern.length), pattern)


def row(start: int, length: int = UNIT, file: str = "a") -> Piece:
    return piece(whole(Role.Q, length), start, file)


def wanted(*pieces: Piece) -> list[Target]:
    """The moments of pieces of one layer."""
    return [Target(0, 0, each.tensor, each, None, None) for each in pieces]


def reads(*pieces: Piece, read_size: int = 2 * MIB) -> list[Read]:
    return [read for batch in plan(wanted(*pieces), read_size) for read in batch]


def units(*pieces: Piece, read_size: int = 2 * MIB) -> list[Unit]:
    return [unit for read in reads(*pieces, read_size=read_size) for unit in read.units]


def roles(runs: Iterable[tuple[Role, int]], times: int) -> list[Role]:
    """The role of every element."""
    once = [role for role, length in runs for role in repeat(role, length)]
    return once * times


sequences = st.lists(
    st.tuples(st.sampled_from(list(Role)), st.integers(1, 90)), min_size=1, max_size=4
)


@given(st.integers(1, 9), sequences, st.integers(0, 9), st.integers(1, 300))
def test_every_element_is_in_one_unit(
    repeats: int, sequence: list[tuple[Role, int]], start: int, read_size: int
) -> None:
    pattern = Pattern(repeats, tuple(sequence))
    found: list[Role] = []
    with patch.object(module, "UNIT", 64):
        for unit in units(piece(pattern, start), read_size=read_size):
            assert (unit.first, unit.start) == (len(found), start + 2 * len(found))
            found += roles(unit.runs, unit.rows)
            assert unit.stop == start + 2 * len(found)
            assert unit.stop - unit.start <= 2 * 64

    assert found == roles(pattern.sequence, repeats)


@given(st.integers(1, 9), sequences, st.integers(1, 300))
def test_how_it_is_read_does_not_move_a_unit(
    repeats: int, sequence: list[tuple[Role, int]], read_size: int
) -> None:
    alone = piece(Pattern(repeats, tuple(sequence)))
    with patch.object(module, "UNIT", 64):
        assert units(alone, read_size=read_size) == units(alone)


def test_files_and_bytes_come_in_order_whatever_the_order_of_layers() -> None:
    found = reads(row(9 * MIB), row(0, file="b"), row(0))

    assert [(read.file, read.start) for read in found] == [("a", 0), ("a", 9 * MIB), ("b", 0)]
    assert [read.units[0].owner for read in found] == [2, 0, 1]


def test_small_neighbours_are_read_together_and_distant_ones_apart() -> None:
    near, far = row(1000, 100), row(1000 + 200 + 2 * MIB, 100)

    found = reads(row(0, 100), near, far)

    assert [(read.start, read.stop, len(read.units)) for read in found] == [
        (0, 1200, 2),
        (far.tensor.start, far.tensor.stop, 1),
    ]


def test_no_read_is_larger_than_asked_but_for_a_single_unit() -> None:
    matrix = row(0, 40 * UNIT)

    assert {read.stop - read.start for read in reads(matrix, read_size=8 * MIB)} == {8 * MIB}
    assert {len(read.units) for read in reads(matrix, read_size=1000)} == {1}


def test_a_tensor_that_serves_two_towers_is_read_for_each() -> None:
    assert [unit.owner for unit in units(row(0, 100), row(0, 100))] == [0, 1]


def test_batches_are_large_enough_to_be_worth_handing_out() -> None:
    sizes = [sum(r.stop - r.start for r in batch) for batch in plan(wanted(row(0, 40 * UNIT)), MIB)]

    assert sum(sizes) == 80 * MIB
    assert all(size >= BATCH for size in sizes[:-1])
