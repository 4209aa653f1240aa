"""How much memory the tables of a checkpoint may take: what an honest one needs, and no more."""

from __future__ import annotations

import sys

from fpcheck.errors import FormatError

# The largest released mixtures of experts hold 140,000 tensors in all their shards, and 210,000
# with scales beside quantised ones.
MAX_TENSORS = 250_000
# What the names and shapes of so many take, in Python's own representation: names of some 100
# characters. One character beyond U+FFFF quadruples a name, so characters are no measure.
MAX_BYTES = 40_000_000

_NUMBER = 40  # bytes of a size in a shape


class Room:
    """What is left for names and shapes. Raises FormatError when it is used up."""

    def __init__(self) -> None:
        self._names = 0
        self._bytes = 0
        self._shapes: dict[tuple[int, ...], tuple[int, ...]] = {}

    def name(self, name: str, what: str) -> None:
        """Account for a name that is kept; `what` is the file that it comes from."""
        self._names += 1
        if self._names > MAX_TENSORS:
            raise FormatError(
                f"{what}: more than {MAX_TENSORS:,} names of tensors",
                hint="no released model has so many; split the checkpoint, or stack its experts",
            )
        self._use(sys.getsizeof(name), what)

    def shape(self, shape: tuple[int, ...], what: str) -> tuple[int, ...]:
        """The same shape; one copy serves all tensors that share it."""
        if shape not in self._shapes:
            self._use(sys.getsizeof(shape) + _NUMBER * len(shape), what)
            self._shapes[shape] = shape
        return self._shapes[shape]

    def _use(self, size: int, what: str) -> None:
        self._bytes += size
        if self._bytes > MAX_BYTES:
            raise FormatError(
                f"{what}: the names and shapes of tensors take more than {MAX_BYTES:,} bytes",
                hint="no released model needs so much; shorten the names",
            )
