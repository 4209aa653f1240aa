"""How long a network is asked again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from fpcheck.errors import SourceError
from fpcheck.source.patience import NoConnectionError, Patience, TemporaryError

BUSY, UNMET = TemporaryError("busy"), NoConnectionError("nobody there")


def waits_for(failures: Sequence[TemporaryError]) -> list[float]:
    """The waits of a first contact that fails in these ways and then for ever in the last one."""
    waits: list[float] = []
    patience = Patience(first_contact=True, sleep=waits.append, clock=lambda: sum(waits))
    with pytest.raises(SourceError):
        patience.insist("a/b", failing([*failures, *[failures[-1]] * 99]))
    return waits


def failing(failures: Sequence[TemporaryError]) -> Callable[[float], None]:
    left = iter(failures)

    def attempt(_: float) -> None:
        raise next(left)

    return attempt


def test_nobody_at_first_contact_is_given_up_soon() -> None:
    assert waits_for([UNMET]) == [1, 2]


@pytest.mark.parametrize("failures", [[BUSY], [BUSY, UNMET], [UNMET, BUSY, UNMET]])
def test_whoever_answered_once_is_waited_for(failures: list[TemporaryError]) -> None:
    assert waits_for(failures) == [1, 2, 4, 8, 16]


def test_first_contact_that_takes_long_is_not_tried_again() -> None:
    clock = iter([0.0, 20.0])
    patience = Patience(first_contact=True, clock=lambda: next(clock))

    with pytest.raises(SourceError, match=r"a/b: nobody there \(1 tries\)"):
        patience.insist("a/b", failing([UNMET]))
