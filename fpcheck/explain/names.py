"""Many names that differ in numbers alone, written as one: `model.layers.{0-31}.mlp.up.weight`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MAX_RUNS = 12  # runs of numbers that are written out; more say nothing to a reader
_LONGEST = 6  # digits of a number that counts something: what is longer belongs to the name

Parts = tuple[str | None, ...]  # of a name, between its dots; None stands for a number


@dataclass(frozen=True)
class Names:
    """The names of one form: what lies between their dots, and the numbers in each gap."""

    parts: Parts
    numbers: tuple[frozenset[int], ...]

    def __str__(self) -> str:
        """All of them as one pattern."""
        gaps = map(_braced, self.numbers)
        return ".".join(next(gaps) if part is None else part for part in self.parts)


def form_of(name: str) -> tuple[Parts, tuple[int, ...]]:
    """A name without its numbers, and these."""
    parts = name.split(".")
    found = [part for part in parts if part.isdigit() and _is_number(part)]
    if not found:
        return tuple(parts), ()
    form = tuple(None if p.isdigit() and _is_number(p) else p for p in parts)
    return form, tuple(map(int, found))


def names_of(names: Iterable[str]) -> Names:
    """Names of one form, together."""
    forms = [form_of(name) for name in names]
    columns = zip(*(numbers for _, numbers in forms), strict=True)
    return Names(forms[0][0], tuple(frozenset(column) for column in columns))


def ranges(numbers: Iterable[int]) -> str:
    """Numbers in order, neighbours as `first-last`."""
    runs = list(_runs(sorted(numbers)))
    shown = [str(a) if a == b else f"{a}-{b}" for a, b in runs[:MAX_RUNS]]
    if len(runs) > MAX_RUNS:
        shown[-1:] = ["…", str(runs[-1][1])]
    return ",".join(shown)


def _runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    first = last = None
    for number in numbers:
        if first is None or last is None:
            first = number
        elif number != last + 1:
            yield first, last
            first = number
        last = number
    if first is not None and last is not None:
        yield first, last


def _is_number(part: str) -> bool:
    """Whether digits are a number in its one spelling: `07` is a name of its own."""
    plain = part.isascii() and len(part) <= _LONGEST
    return plain and (part == "0" or part[0] != "0")


def _braced(numbers: frozenset[int]) -> str:
    written = ranges(numbers)
    return written if len(numbers) == 1 else f"{{{written}}}"
