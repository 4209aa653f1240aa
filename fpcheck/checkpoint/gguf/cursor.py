"""A walk through the header of a GGUF file, in bounded memory and never past the file's end."""

from __future__ import annotations

from struct import Struct
from typing import Any

from fpcheck.errors import FormatError
from fpcheck.source import Source, read

LENGTH = Struct("<Q")
CUT = "an interrupted download or upload looks like this: copy the file again"
CONVERT = "convert or quantise the model again with llama.cpp"
MAX_WINDOW = 4 << 20  # bytes that are read at once, and held
MAX_TEXTS = 4_000_000  # the largest vocabularies have 260,000, and twice as many merges


class Cursor:
    """A place in one file, from which numbers and texts are taken, or passed over unread."""

    def __init__(self, source: Source, file: str) -> None:
        self.file = file
        self.size = source.files()[file].size
        self.place = 0
        self._source = source
        self._window = bytearray()
        self._first = 0  # the place of the window's first byte
        self._texts = 0  # passed over so far

    def take(self, count: int) -> bytes:
        """The next bytes. Raises FormatError when the file ends before, as all methods do."""
        start = self._reach(count)
        self.place += count
        return bytes(self._window[start : start + count])

    def number(self, layout: Struct) -> Any:
        """The next number."""
        start = self._reach(layout.size)
        self.place += layout.size
        return layout.unpack_from(self._window, start)[0]

    def text(self, longest: int, what: str) -> str:
        """The next text, of at most `longest` bytes of UTF-8."""
        length = self.number(LENGTH)
        if length > longest:
            raise FormatError(
                f"{self.file}: {what} of {length:,} bytes, more than {longest:,}", hint=CONVERT
            )
        try:
            return self.take(length).decode()
        except UnicodeDecodeError as error:
            raise FormatError(f"{self.file}: {what} that is not UTF-8", hint=CONVERT) from error

    def skip(self, count: int) -> None:
        """Pass over bytes; what lies beyond the window is not read."""
        if count > self.size - self.place:
            raise self._cut(count)
        self.place += count

    def skip_texts(self, count: int) -> None:
        """Pass over texts, of which only the lengths are looked at."""
        self._texts += count
        if self._texts > MAX_TEXTS:
            raise FormatError(
                f"{self.file}: lists of {self._texts:,} texts, more than {MAX_TEXTS:,}",
                hint=CONVERT,
            )
        for _ in range(count):
            self.skip(self.number(LENGTH))

    def _reach(self, count: int) -> int:
        """Have the window hold the next bytes; where in it they start."""
        start = self.place - self._first
        if start + count > len(self._window):
            if count > self.size - self.place:
                raise self._cut(count)
            self._fill(count)
            return 0
        return start

    def _fill(self, count: int) -> None:
        wanted = max(count, min(self._source.read_size, MAX_WINDOW))
        stop = min(self.place + wanted, self.size)
        self._window = read(self._source, self.file, self.place, stop)
        self._first = self.place

    def _cut(self, count: int) -> FormatError:
        return FormatError(
            f"{self.file}: the header goes on to byte {self.place + count:,}, the file has "
            f"{self.size:,}",
            hint=CUT,
        )
