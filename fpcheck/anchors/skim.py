"""JSON in bytes, of which a few values are looked at and the rest is passed over unparsed.

Parsed as a whole, an honest tokenizer.json takes ten times its size, and a hostile one more. What
is passed over is held to no more than brackets and quotes that balance.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from fpcheck.errors import FormatError

STRING = rb'"(?:[^"\\\x00-\x1f]++|\\[^\x00-\x1f])*+"'
SPACE = rb"[ \t\n\r]*+"
MAX_DEPTH = 100
MAX_MEMBERS = 1_000  # of an object whose keys are looked at; real ones have some dozen
MAX_NESTED = 100_000  # brackets with brackets in them, in one value; real ones have some hundreds
# A text that is spelled longer is none that is looked for: \u0061 takes six bytes a character.
MAX_TEXT = 256

_SPACE = re.compile(SPACE)
_SIMPLE = re.compile(STRING + rb"|[-+.0-9A-Za-z]++")
_FLAT = rb'(?:[^"\[\]{}]++|' + STRING + rb")*+"
# All up to the next bracket that opens or closes a value which has others in it.
_PASSED = re.compile(_FLAT + rb"(?:(?:\[" + _FLAT + rb"\]|\{" + _FLAT + rb"\})" + _FLAT + rb")*+")
_DEPTH = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}


class Skimmer:
    """A place in a JSON file's bytes. Every method raises FormatError for what is no JSON."""

    def __init__(self, content: bytearray, file: str, at: int = 0) -> None:
        self.content, self.file, self.at = content, file, at

    def members(self) -> Iterator[bytes]:
        """The keys of the object that begins here; the caller passes each one's value."""
        for count, _ in enumerate(self.items(b"{", b"}"), 1):
            if count > MAX_MEMBERS:
                raise self.refusal(f"at most {MAX_MEMBERS:,} members")
            if self.peek() != b'"':
                raise self.refusal("a key")
            start = self.at
            self._pass_simple()
            key = text(self.content[start : self.at])
            self.take(b":")
            yield key

    def items(self, first: bytes = b"[", last: bytes = b"]") -> Iterator[None]:
        """Once for each item of the list that begins here; the caller passes it."""
        if not self.begins(first, last):
            return
        while True:
            yield
            if self.peek() != b",":
                break
            self.at += 1
        self.take(last)

    def begins(self, first: bytes, last: bytes) -> bool:
        """Pass the first bracket; where nothing is within, both."""
        self.take(first)
        if self.peek() != last:
            return True
        self.at += 1
        return False

    def value(self, longest: int) -> bytes:
        """The bytes of any value, which is passed over, of at most so many."""
        self.peek()
        start = self.at
        self.skip()
        if self.at - start > longest:
            raise FormatError(
                f"{self.file}: byte {start:,}: a value of {self.at - start:,} bytes, more than "
                f"{longest:,}"
            )
        return bytes(self.content[start : self.at])

    def skip(self) -> None:
        """Pass over any value."""
        if self.peek() not in (b"[", b"{"):
            self._pass_simple()
            return
        self.at += 1
        depth = 1
        for _ in range(MAX_NESTED):
            self.at = self._end(_PASSED)
            depth += _DEPTH.get(self._next, MAX_DEPTH)
            if depth > MAX_DEPTH:
                break
            self.at += 1
            if not depth:
                return
        raise self.refusal("a bracket that closes, or less nesting")

    def peek(self) -> bytes:
        """The next byte that is no space, b"" at the end."""
        self.at = self._end(_SPACE)
        return self._next

    def take(self, byte: bytes) -> None:
        """Pass that byte. Raises for any other."""
        if self.peek() != byte:
            raise self.refusal(repr(byte.decode()))
        self.at += 1

    def end(self) -> None:
        """Refuse what follows."""
        if self.peek():
            raise self.refusal("nothing more")

    def refusal(self, expected: str) -> FormatError:
        """The error for what stands here."""
        return FormatError(f"{self.file}: byte {self.at:,}: expected {expected}")

    @property
    def _next(self) -> bytes:
        return bytes(self.content[self.at : self.at + 1])

    def _pass_simple(self) -> None:
        match = _SIMPLE.match(self.content, self.at)
        if not match:
            raise self.refusal("a value")
        self.at = match.end()

    def _end(self, pattern: re.Pattern[bytes]) -> int:
        match = pattern.match(self.content, self.at)
        return match.end() if match else self.at


def text(spelled: bytes | bytearray) -> bytes:
    """The UTF-8 of a text in quotes; b"" for one that is long or, by its escapes, none."""
    if len(spelled) > MAX_TEXT:
        return b""
    if b"\\" not in spelled:
        return bytes(spelled[1:-1])
    try:
        return str(json.loads(spelled)).encode("utf-8", "surrogatepass")
    except ValueError:
        return b""
