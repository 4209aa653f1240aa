"""Jobs on threads, their results in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Lock
from typing import Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

PULSE = 0.1  # seconds between two looks at what is done; each look holds the threads up a little


def run(
    work: Callable[[Job], Result],
    jobs: Iterable[Job],
    workers: int,
    take: Callable[[Result], None],
) -> None:
    """Do the jobs on that many threads, and give each result to `take` in the order of the jobs.

    Whatever goes wrong, no further job begins and no thread is left behind. Of several jobs that
    fail, the first one's error is raised.
    """
    shared = _Shared(work, jobs)
    with ThreadPoolExecutor(workers, thread_name_prefix="fpcheck") as pool:
        try:
            threads = [pool.submit(shared.work_through) for _ in range(workers)]
            while wait(threads, PULSE).not_done:
                shared.hand_over(take)
            shared.hand_over(take)
        finally:
            shared.stop()
    for thread in threads:
        thread.result()  # raises what making the jobs raised


class _Shared(Generic[Job, Result]):
    """What the threads share: the jobs that none has begun, and what became of the others."""

    def __init__(self, work: Callable[[Job], Result], jobs: Iterable[Job]) -> None:
        self._work = work
        self._jobs: Iterator[tuple[int, Job]] = enumerate(jobs)
        self._lock = Lock()
        self._results: dict[int, Result] = {}
        self._errors: dict[int, BaseException] = {}
        self._next = 0
        self._stopped = False

    def work_through(self) -> None:
        """Do one job after the other, until there is none or one has failed."""
        while item := self._begin():
            place, job = item
            try:
                self._results[place] = self._work(job)
            except BaseException as error:  # handed over in its turn
                self._errors[place] = error
                self.stop()

    def _begin(self) -> tuple[int, Job] | None:
        with self._lock:  # a generator serves one thread at a time
            return None if self._stopped else next(self._jobs, None)

    def hand_over(self, take: Callable[[Result], None]) -> None:
        """Give away every result up to the first job that is not done; raise its error, if any."""
        while self._next in self._results:
            take(self._results.pop(self._next))
            self._next += 1
        if self._next in self._errors:
            raise self._errors[self._next]

    def stop(self) -> None:
        """Let no further job begin."""
        self._stopped = True
