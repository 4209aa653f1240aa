"""Many names as one pattern."""

from __future__ import annotations

import pytest

from fpcheck.explain.names import form_of, names_of, ranges


@pytest.mark.parametrize(
    ("numbers", "written"),
    [
        ([0], "0"),
        (range(32), "0-31"),
        ([3, 0, 1, 7], "0-1,3,7"),
        (range(0, 26, 2), "0,2,4,6,8,10,12,14,16,18,20,…,24"),
    ],
)
def test_neighbours_are_a_range_and_many_ranges_are_cut(numbers: list[int], written: str) -> None:
    assert ranges(numbers) == written


def test_names_that_differ_in_numbers_are_one_pattern() -> None:
    names = [f"model.layers.{n}.experts.{e}.up.weight" for n in range(3) for e in (0, 5)]

    assert str(names_of(names)) == "model.layers.{0-2}.experts.{0,5}.up.weight"
    assert str(names_of(names[:1])) == names[0]


@pytest.mark.parametrize("name", ["a.07.b", "a.1234567.b", "a.².b", "a.-1.b", "a.{0-3}.b", ""])
def test_what_is_no_plain_number_belongs_to_the_name(name: str) -> None:
    assert form_of(name) == (tuple(name.split(".")), ())
    assert str(names_of([name])) == name
