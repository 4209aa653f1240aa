"""Two sources as one: every file once, from whichever source it is of."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from fpcheck.errors import SourceError
from fpcheck.source import read
from fpcheck.source.joined import MARK, MAX_KEPT, MAX_KEPT_PIECE, JoinedSource
from tests.memory_source import MemorySource


class Counting(MemorySource):
    """Counts how often it is asked."""

    asked = 0

    def read_into(self, file: str, start: int, view: memoryview) -> None:
        self.asked += 1
        super().read_into(file, start, view)


def test_files_of_one_name_stay_two() -> None:
    base, adapter = MemorySource({"a": b"base"}), MemorySource({"a": b"adapter"})

    with JoinedSource(base, adapter) as joined:
        assert list(joined.files()) == ["a", MARK + "a"]
        assert joined.files()[MARK + "a"].size == 7
        assert read(joined, "a", 1, 4) == b"ase"
        assert read(joined, MARK + "a", 1, 4) == b"dap"
        assert joined.origin == adapter.origin


def test_a_piece_of_the_adapter_is_read_once() -> None:
    adapter = Counting({"a": b"0123456789"})
    joined = JoinedSource(MemorySource({}), adapter)

    assert [bytes(read(joined, MARK + "a", 2, 5)) for _ in range(3)] == [b"234"] * 3
    assert bytes(read(joined, MARK + "a", 2, 6)) == b"2345"
    assert adapter.asked == 2


def test_no_more_is_kept_than_fits() -> None:
    size = MAX_KEPT_PIECE
    adapter = Counting({"a": bytes(MAX_KEPT + 2 * size)})
    joined = JoinedSource(MemorySource({}), adapter)
    for _ in range(2):
        for start in range(0, MAX_KEPT + size, size):
            read(joined, MARK + "a", start, start + size)

    assert adapter.asked == 2 * (MAX_KEPT // size + 1), "the oldest has gone each time"
    for _ in range(2):
        read(joined, MARK + "a", 0, size + 1)
    assert adapter.asked == 2 * (MAX_KEPT // size + 1) + 2, "too large to keep"


def test_an_adapter_that_cannot_be_read_is_named_as_such() -> None:
    joined = JoinedSource(MemorySource({"a": b"x"}), MemorySource({"a": b"x"}))

    with pytest.raises(SourceError, match="the adapter's a: ends early"):
        read(joined, MARK + "a", 0, 2)


def test_many_threads_read_the_same() -> None:
    content = bytes(range(256)) * 64
    joined = JoinedSource(MemorySource({"a": content}), MemorySource({"a": content[::-1]}))

    def look(place: int) -> bool:
        start = place * 7 % 1000
        return (
            read(joined, "a", start, start + 99) == content[start : start + 99]
            and read(joined, MARK + "a", start, start + 99) == content[::-1][start : start + 99]
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(look, range(2000)))
