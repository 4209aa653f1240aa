"""Open files for many threads, never too many of them at once."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

# Far below the 1,024 that a process may have open by default, and more than threads read at once.
MAX_IDLE = 64


class Descriptors:
    """File descriptors by name: lent to one reader or several, closed when long unused."""

    def __init__(self, open_file: Callable[[str], int]) -> None:
        self._open_file = open_file
        self._idle: OrderedDict[str, int] = OrderedDict()  # the longest unused first
        self._lent: dict[str, tuple[int, int]] = {}  # descriptor, and how many read from it
        self._lock = Lock()

    @contextmanager
    def lent(self, file: str) -> Iterator[int]:
        """The descriptor of a file, which stays open meanwhile."""
        descriptor = self._take(file)
        try:
            yield descriptor
        finally:
            self._give_back(file)

    def close(self) -> None:
        """Close all that nobody reads from."""
        with self._lock:
            self._shrink(0)

    def _take(self, file: str) -> int:
        with self._lock:
            descriptor, readers = self._lent.get(file, (None, 0))
            if descriptor is None:
                descriptor = self._idle.pop(file, None)
            if descriptor is None:
                descriptor = self._open_file(file)
            self._lent[file] = descriptor, readers + 1
            return descriptor

    def _give_back(self, file: str) -> None:
        with self._lock:
            descriptor, readers = self._lent.pop(file)
            if readers > 1:
                self._lent[file] = descriptor, readers - 1
            else:
                self._idle[file] = descriptor
                self._shrink(MAX_IDLE)

    def _shrink(self, count: int) -> None:
        while len(self._idle) > count:
            os.close(self._idle.popitem(last=False)[1])
