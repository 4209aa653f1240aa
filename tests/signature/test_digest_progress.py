"""How far the digests are is told often, and costs nothing."""

from __future__ import annotations

import time

from fpcheck.signature.digests import digests
from fpcheck.source import SourceFile
from tests.memory_source import MemorySource


def told(files: dict[str, bytes], *, workers: int, read_size: int) -> list[tuple[int, int]]:
    calls: list[tuple[int, int]] = []
    source = MemorySource(files, read_size=read_size)
    given = tuple(source.files().values())
    digests(source, given, workers=workers, progress=lambda *call: calls.append(call))
    return calls


def test_progress_is_told_in_the_middle_of_a_large_file() -> None:
    calls = told({"large": bytes(1_000)}, workers=1, read_size=100)

    assert calls == [(done, 1_000) for done in range(100, 1_001, 100)]


def test_progress_only_grows_with_several_threads() -> None:
    calls = told({str(i): bytes(i * 7) for i in range(60)}, workers=4, read_size=50)

    assert calls == sorted(calls)
    assert calls[-1] == (7 * 59 * 30, 7 * 59 * 30)


def test_progress_over_very_many_files_takes_no_time() -> None:
    files = [SourceFile(str(i), 1, "sha256:" + "0" * 64) for i in range(20_000)]
    calls: list[tuple[int, int]] = []
    start = time.process_time()

    digests(MemorySource({}), files, progress=lambda *call: calls.append(call))

    assert calls[-1] == (20_000, 20_000)
    assert time.process_time() - start < 5  # 20 when each call added up all files before it
