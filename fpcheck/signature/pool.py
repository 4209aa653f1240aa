"""Jobs on threads, their results in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Lock
from typing import Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

PULSE = 0.1  # seconds between two looks at what is done: each look holds the threads up


def run(
    work: Callable[[Job], Result],
    jobs: Iterable[Job],
    workers: int,
    take: Callable[[Result], None],
) -> None:
    """Do the jobs on that many threads, and give each result to `take` in the order of the jobs.

    Whatever goes wrong, no other job begins and no thread is left behind; of several jobs that
    fail, the first one's error is raised.
    """
    shared = _Shared(work, jobs)
    with ThreadPoolExecutor(workers, thread_name_prefix="fpcheck") as pool:
        try:
            running = {pool.submit(shared.work_through) for _ in range(workers)}
            while running:
                running = wait(running, PULSE).not_done
                shared.hand_over(take)
        finally:
            shared.stop()


class _Shared(Generic[Job, Result]):
    """What the threads share: the jobs that none has taken, and the results that none has had."""

    def __init__(self, work: Callable[[Job], Result], jobs: Iterable[Job]) -> None:
        self._work = work
        self._jobs = enumerate(jobs)
        self._lock = Lock()
        self._results: dict[int, Result] = {}
        self._errors: dict[int, BaseException] = {}
        self._next = 0
        self._stopped = False

    def work_through(self) -> None:
        """Do one job after another until none is left or one fails."""
        while not self._stopped:
            with self._lock:
                place, job = next(self._jobs, (-1, None))
            if job is None:
                return
            try:
                self._results[place] = self._work(job)
            except BaseException as error:
                self._errors[place] = error
                self.stop()

    def hand_over(self, take: Callable[[Result], None]) -> None:
        """Give away the results that are complete up to the first job that is not.

        Raises that job's error if it failed.
        """
        while self._next in self._results:
            take(self._results.pop(self._next))
            self._next += 1
        if self._next in self._errors:
            raise self._errors[self._next]

    def stop(self) -> None:
        """Let no other job begin."""
        self._stopped = True
