"""Jobs on threads, their results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

AHEAD = 3  # jobs a thread, so that none idles while the oldest is waited for; more only wait


def run(
    work: Callable[[Job], Result],
    jobs: Iterable[Job],
    workers: int,
    take: Callable[[Result], None],
) -> None:
    """Do the jobs on that many threads, and give each result to `take` in the order of the jobs.

    The first job that fails, in that order, ends it all with its error: what has not begun never
    does, and no thread is left behind, whatever the error.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix="fpcheck") as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for job in jobs:
                waiting.append(pool.submit(work, job))
                if len(waiting) >= AHEAD * workers:
                    take(waiting.popleft().result())
            while waiting:
                take(waiting.popleft().result())
        finally:
            for future in waiting:
                future.cancel()
