"""A large JSON object read member by member, in memory that does not depend on its length."""

from __future__ import annotations

import codecs
import re
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

from fpcheck.checkpoint.room import Room
from fpcheck.checkpoint.strict_json import HINT, REFUSALS, STRICT, no_lone_surrogate, refusal
from fpcheck.errors import FormatError
from fpcheck.source import Source, read

# Bytes that are decoded at a time. Whatever they hold, parsed they take less than 10 MB.
STEP = 1 << 18
# What is parsed at once (a key, the entry of a tensor) has to be shorter, in characters; the
# longest that any library writes have some hundreds.
MAX_ITEM = 1 << 16
MAX_KEY = 1_024  # real names have up to some 150; their parts are looked at one by one
MAX_SHOWN = 40  # of a name in a message
LONG = f"{HINT}; a value of more than {MAX_ITEM:,} characters is not read"

SPACES = frozenset(" \t\n\r")
_SPACE = re.compile(r"[ \t\n\r]*+")
_PLAIN_KEY = re.compile(rf'"([^"\\\x00-\x1f]{{1,{MAX_KEY}}}+)":')
_IN_TEXT = re.compile(
    r'(?:[^"\\\x00-\x1f]++|\\["\\/bfnrt]'
    r"|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4}"
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})*+"
)
_ESCAPE = len(r"\ud800\udc00")  # the longest way to write one character
_LONGEST_KEY = MAX_KEY * _ESCAPE + 1


class Text:
    """The characters of a span of a file's bytes, of which only the next few are in memory.

    Every method raises FormatError for what is no strict JSON, SourceError when bytes cannot be
    had. `what` is the file, `room` what its keys may take.
    """

    def __init__(self, source: Source, what: str, span: tuple[int, int], room: Room) -> None:
        self.what, self.room = what, room
        self._steps = _steps(source, what, *span)
        self._text, self._at, self._behind = "", 0, 0
        self._ended = False

    def members(self) -> Iterator[str]:
        """The keys of the object that begins here; the caller takes each one's value.

        A key that stands twice is refused.
        """
        self.take("{", "a JSON object")
        if self.peek() == "}":
            self.take("}")
            return
        seen: set[str] = set()
        while True:
            yield self._key(seen)
            if self.peek() != ",":
                break
            self._at += 1
        self.take("}", "',' or '}'")

    def value(self) -> Any:
        """Any value of at most MAX_ITEM characters."""
        self.peek()
        try:
            value, end = STRICT.raw_decode(self._text, self._at)
            if isinstance(value, str):
                no_lone_surrogate(value)
        except REFUSALS as error:
            hint = HINT if self._ended else LONG
            raise refusal(error, self.what, self._behind, hint) from error
        if end - self._at > MAX_ITEM:
            raise FormatError(
                f"{self.what}: a value of more than {MAX_ITEM:,} characters", hint=HINT
            )
        self._at = end
        return value

    def skip_text(self) -> None:
        """Pass a text of any length, checked and not kept."""
        self.take('"', "text")
        while True:
            self._at = _end(_IN_TEXT, self._text, self._at)
            if self._ended or len(self._text) - self._at >= _ESCAPE:
                break  # it is not for want of characters that the text does not go on
            self._fill()
        self.take('"', "the end of a text", spaces=False)

    def peek(self) -> str:
        """The next character that is no space, "" at the end; much of what follows is read."""
        while True:
            found = self._next
            if found in SPACES:
                self._at = _end(_SPACE, self._text, self._at)
                found = self._next
            if self._ended or len(self._text) - self._at >= MAX_ITEM:
                return found
            self._fill()

    def take(self, character: str, expected: str = "", *, spaces: bool = True) -> None:
        """Pass that character. Raises for any other."""
        if (self.peek() if spaces else self._next) != character:
            self._refuse(expected or repr(character))
        self._at += 1

    def end(self) -> None:
        """Refuse what follows."""
        if self.peek():
            self._refuse("nothing")

    @property
    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _key(self, seen: set[str]) -> str:
        if self.peek() != '"':
            self._refuse("a key")
        key = self._plain_key() or self._any_key()
        if key in seen:
            raise FormatError(f"{self.what}: key {key!r} stands twice", hint=HINT)
        self.room.name(key, self.what)
        key = sys.intern(key)  # an index and headers name the same tensors: one copy serves both
        seen.add(key)
        return key

    def _plain_key(self) -> str:
        """A key that is as libraries write them, "" for another: half the time of a large table."""
        match = _PLAIN_KEY.match(self._text, self._at)
        if match:
            self._at = match.end()
        return match[1] if match else ""

    def _any_key(self) -> str:
        end = self._text.find('"', self._at + 1)
        if end - self._at > _LONGEST_KEY or (end < 0 and not self._ended):
            self._refuse_long(self._text[self._at + 1 :][:MAX_SHOWN])
        key = str(self.value())
        if len(key) > MAX_KEY:
            self._refuse_long(key[:MAX_SHOWN])
        self.take(":")
        return key

    def _refuse(self, expected: str) -> NoReturn:
        place = f"after {self._behind + self._at:,} characters"
        raise FormatError(
            f"{self.what}: not JSON: expected {expected} {place}, got {self._next!r}", hint=HINT
        )

    def _refuse_long(self, beginning: str) -> NoReturn:
        raise FormatError(
            f"{self.what}: a name of more than {MAX_KEY:,} characters: {beginning + '…'!r}",
            hint="no model has such names; rename the tensor",
        )

    def _fill(self) -> None:
        """Drop what is behind, and read on."""
        more = next(self._steps, None)
        self._ended = more is None
        self._behind += self._at
        self._text, self._at = self._text[self._at :] + (more or ""), 0


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    """Where the longest match ends; every pattern here matches nothing, too."""
    match = pattern.match(text, start)
    return match.end() if match else start


def _steps(source: Source, file: str, start: int, stop: int) -> Iterator[str]:
    """The characters of a file's bytes `start:stop`, some at a time."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for begin in range(start, stop, source.read_size):
        content = read(source, file, begin, min(begin + source.read_size, stop))
        for at in range(0, len(content), STEP):
            step, behind = content[at : at + STEP], begin + at - start
            try:
                text = decoder.decode(step, final=start + behind + len(step) == stop)
            except UnicodeDecodeError as error:
                raise refusal(error, file, behind) from error
            yield text
