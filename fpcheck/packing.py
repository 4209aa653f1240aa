"""How the roles lie in a tensor: a short sequence of lengths, repeated.

Every packing, whether contiguous, per head, grouped or transposed, is `repeats` times a sequence
of (role, length), first along the output channels and then over the elements.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from fpcheck.layouts import BIAS_OF, Role

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Pattern:
    """`repeats` × the sequence of (role, length)."""

    repeats: int
    sequence: tuple[tuple[Role, int], ...]

    @property
    def period(self) -> int:
        """The length of one repeat."""
        return sum(length for _, length in self.sequence)

    @property
    def length(self) -> int:
        """The length of all repeats."""
        return self.repeats * self.period


def whole(role: Role, length: int) -> Pattern:
    """A tensor, or an axis of it, that serves one role."""
    return Pattern(1, ((role, length),))


def over_matrix(pattern: Pattern, shape: Shape, *, transposed: bool) -> Pattern:
    """The pattern of output channels spread over a matrix's elements, row-major."""
    if transposed:
        return Pattern(shape[0], pattern.sequence * pattern.repeats)
    return Pattern(pattern.repeats, tuple((role, n * shape[1]) for role, n in pattern.sequence))


def over_bias(pattern: Pattern) -> Pattern:
    """The pattern of output channels over the bias that belongs to them."""
    return Pattern(pattern.repeats, tuple((BIAS_OF[role], n) for role, n in pattern.sequence))


@lru_cache(maxsize=256)
def spans(pattern: Pattern, shape: Shape) -> tuple[int, tuple[tuple[Role, int, int], ...]]:
    """The axis of a matrix along which roles alternate, and each role's `start:stop` on it.

    The inverse of `over_matrix`. Raises ValueError for a pattern that follows neither axis.
    """
    columns = shape[-1]
    by_rows = all(length % columns == 0 for _, length in pattern.sequence)
    if not by_rows and columns % pattern.period:
        raise ValueError("the roles alternate along neither rows nor columns")
    size, repeats = (columns, pattern.repeats) if by_rows else (1, columns // pattern.period)
    runs, place = [], 0
    for _ in range(repeats):
        for role, length in pattern.sequence:
            runs.append((role, place, place + length // size))
            place += length // size
    return (0 if by_rows else 1), tuple(runs)
