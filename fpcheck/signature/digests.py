"""SHA-256 digests of released files, as their bytes stream by."""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Callable, Iterable
from dataclasses import replace
from threading import Lock

from fpcheck.signature.pool import run
from fpcheck.source import Source, SourceFile

PREFIX = "sha256:"
MEMORY = 64 << 20  # what the buffers of all threads may take together


def digests(
    source: Source,
    files: Iterable[SourceFile],
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[SourceFile, ...]:
    """The files with their SHA-256 digests; those that the source itself declares are kept.

    `progress` is called with the bytes done and the bytes in all, from one thread at a time. Raises
    SourceError when bytes cannot be had.
    """
    found: list[SourceFile] = []
    given = tuple(files)
    advance = _Advance(sum(file.size for file in given), progress)
    threads = min(workers or source.workers, MEMORY // source.read_size)
    run(lambda file: _hashed(source, file, advance), given, max(threads, 1), found.append)
    return tuple(found)


class _Advance:
    """Tells how far all threads are together, also in the middle of a large file."""

    def __init__(self, size: int, progress: Callable[[int, int], None] | None) -> None:
        self._size, self._progress = size, progress
        self._done = 0
        self._lock = Lock()

    def __call__(self, count: int) -> None:
        with self._lock:
            self._done += count
            if self._progress:
                self._progress(self._done, self._size)


def _hashed(source: Source, file: SourceFile, advance: Callable[[int], None]) -> SourceFile:
    if file.digest and file.digest.startswith(PREFIX):
        advance(file.size)
        return file
    digest = hashlib.sha256()
    room = max(min(source.read_size, file.size), 1)
    buffer = memoryview(mmap.mmap(-1, room))  # page by page, which copies fastest
    for start in range(0, file.size, room):
        view = buffer[: min(room, file.size - start)]
        source.read_into(file.name, start, view)
        digest.update(view)
        advance(len(view))
    return replace(file, digest=PREFIX + digest.hexdigest())
