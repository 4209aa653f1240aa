"""Jobs run side by side and end as one: in order, or with the first error."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from fpcheck.signature.pool import run


def test_results_come_in_the_order_of_the_jobs() -> None:
    taken: list[int] = []

    def work(job: int) -> int:
        time.sleep(0.001 * (job % 3))
        return job * job

    run(work, range(50), 4, taken.append)

    assert taken == [job * job for job in range(50)]


def test_of_several_errors_the_first_is_raised_after_what_came_before_it() -> None:
    taken: list[int] = []
    together = threading.Barrier(3)

    def work(job: int) -> int:
        if job >= 4:
            together.wait(timeout=10)
            raise ValueError(job)
        return job

    with pytest.raises(ValueError, match="4"):
        run(work, range(100), 3, taken.append)

    assert taken == [0, 1, 2, 3]


def test_no_job_begins_after_a_failure() -> None:
    begun: list[int] = []

    def work(job: int) -> None:
        begun.append(job)
        raise ValueError(job)

    with pytest.raises(ValueError, match="0"):
        run(work, range(1000), 2, print)

    assert len(begun) <= 2


def test_an_error_in_making_the_jobs_is_raised() -> None:
    def jobs() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    taken: list[int] = []
    with pytest.raises(ValueError, match="no more"):
        run(lambda job: job, jobs(), 3, taken.append)

    assert taken == [1]


def test_jobs_are_made_as_they_are_needed() -> None:
    made = done = 0

    def jobs() -> Iterator[int]:
        nonlocal made
        for made in range(1, 200):
            assert made - done <= 4
            yield made

    def work(_job: int) -> None:
        nonlocal done
        with lock:
            done += 1

    lock = threading.Lock()
    run(work, jobs(), 3, lambda _: None)

    assert made == done == 199
