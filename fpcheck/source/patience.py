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
# Where nobody has ever answered: a wrong word or no network at all, more likely than a bad moment.
FIRST_CONTACT_TRIES, FIRST_CONTACT_SECONDS = 3, 8.0


class TemporaryError(Exception):
    """One attempt failed in a way that the next may not.

    The message says what happened; `wait` is how many seconds the other side asked for, if it did.
    """

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class NoConnectionError(TemporaryError):
    """One attempt did not reach anybody."""


@dataclass(frozen=True)
class Patience:
    """How long to insist: at most `tries` attempts, none begun later than `seconds`.

    With `first_contact`, much less until the other side has been reached for the first time.
    """

    tries: int = 6
    seconds: float = 900.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    first_contact: bool = False

    def insist(self, what: str, attempt: Callable[[float], T]) -> T:
        """What `attempt` returns, asked again after each TemporaryError.

        `attempt` is given the time on `clock` at which it should stop by itself. Raises SourceError
        when patience ends: a gap is never passed over in silence.
        """
        begin, unmet, number = self.clock(), self.first_contact, 0
        while True:
            number += 1
            try:
                return attempt(begin + self.seconds)
            except TemporaryError as failure:
                unmet = unmet and isinstance(failure, NoConnectionError)
                wait = _wait(failure, number)
                if self._is_over(number, self.clock() + wait - begin, unmet):
                    raise SourceError(
                        f"{what}: {failure} ({number} tries)",
                        hint="check the network and the Hub's status, then run the check again",
                    ) from None
                self.sleep(wait)

    def _is_over(self, number: int, seconds: float, unmet: bool) -> bool:
        tries = min(self.tries, FIRST_CONTACT_TRIES) if unmet else self.tries
        limit = min(self.seconds, FIRST_CONTACT_SECONDS) if unmet else self.seconds
        return number >= tries or seconds > limit


PATIENCE = Patience()


def _wait(failure: TemporaryError, number: int) -> float:
    return min(MAX_WAIT, max(failure.wait or 0.0, FIRST_WAIT * 2.0 ** (number - 1)))
