"""How far a long step is: a bar on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import TextIO

BAR_EVERY, LINE_EVERY = 0.1, 10.0  # seconds
WIDTH = 30


class ProgressLine:
    """Shows (what, done, total) calls on a stream; safe to call often, and never in the way."""

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._terminal = self._stream is not None and self._stream.isatty()
        self._every = BAR_EVERY if self._terminal else LINE_EVERY
        self._next = clock() + self._every
        self._drawn = False

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show that `done` of `total` bytes are behind us, unless it was shown just now."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + self._every
        share = done / total if total else 1.0
        amount = f"{what}: {done / 1e9:.2f} of {total / 1e9:.2f} GB"
        if self._terminal:
            bar = "#" * round(WIDTH * share)
            self._show(f"\r\033[K[{bar:<{WIDTH}}] {amount}")
            self._drawn = True
        else:
            self._show(f"{amount} ({share:.0%})\n")

    def close(self) -> None:
        """Leave the terminal's line as it was found."""
        if self._drawn:
            self._show("\r\033[K")

    def _show(self, text: str) -> None:
        try:
            print(text, end="", file=self._stream, flush=True)
        except OSError:  # a log that is full, or that nobody reads, must not stop a check
            self._next = math.inf
