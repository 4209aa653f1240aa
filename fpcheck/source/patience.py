"""Asking a network again, a bounded number of times and for a bounded time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from fpcheck.errors import SourceError

T = TypeVar("T")
FIRST_WAIT = 1.0  # seconds, doubled each time
MAX_WAIT = 300.0  # the Hub counts requests in windows of five minutes


class TemporaryError(Exception):
    """One attempt failed in a way that the next may not.

    The message says what happened; `wait` is how many seconds the other side asked for, if it did.
    """

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


@dataclass(frozen=True)
class Patience:
    """How long to insist: at most `tries` attempts, none begun later than `seconds`."""

    tries: int = 6
    seconds: float = 900.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def insist(self, what: str, attempt: Callable[[float], T]) -> T:
        """What `attempt` returns, asked again after each TemporaryError.

        `attempt` is given the time on `clock` at which it should stop by itself. Raises SourceError
        when patience ends: a gap is never passed over in silence.
        """
        deadline = self.clock() + self.seconds
        number = 0
        while True:
            number += 1
            try:
                return attempt(deadline)
            except TemporaryError as failure:
                wait = _wait(failure, number)
                if number >= self.tries or self.clock() + wait > deadline:
                    raise SourceError(
                        f"{what}: {failure} ({number} tries)",
                        hint="check the network and the Hub's status, then run the check again",
                    ) from None
                self.sleep(wait)


PATIENCE = Patience()


def _wait(failure: TemporaryError, number: int) -> float:
    return min(MAX_WAIT, max(failure.wait or 0.0, FIRST_WAIT * 2.0 ** (number - 1)))
