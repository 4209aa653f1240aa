"""SHA-256 digests of released files, as their bytes stream by."""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Callable, Iterable
from dataclasses import replace

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

    `progress` is called with the bytes done and the bytes in all, on the calling thread. Raises
    SourceError when bytes cannot be had.
    """
    found: list[SourceFile] = []
    given = tuple(files)
    size = sum(file.size for file in given)

    def take(file: SourceFile) -> None:
        found.append(file)
        if progress:
            progress(sum(f.size for f in found), size)

    threads = min(workers or source.workers, MEMORY // source.read_size)
    run(lambda file: _hashed(source, file), given, max(threads, 1), take)
    return tuple(found)


def _hashed(source: Source, file: SourceFile) -> SourceFile:
    if file.digest and file.digest.startswith(PREFIX):
        return file
    digest = hashlib.sha256()
    buffer = memoryview(mmap.mmap(-1, source.read_size))  # page by page, which copies fastest
    for start in range(0, file.size, source.read_size):
        view = buffer[: min(source.read_size, file.size - start)]
        source.read_into(file.name, start, view)
        digest.update(view)
    return replace(file, digest=PREFIX + digest.hexdigest())
