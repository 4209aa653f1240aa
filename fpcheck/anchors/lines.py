"""Vocabularies of one token a line: tiktoken's with their ranks, WordPiece's vocab.txt."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fpcheck.anchors.utf8 import refuse_other_than_utf8
from fpcheck.errors import FormatError

_RANKED = re.compile(rb"([A-Za-z0-9+/=]++) ([0-9]{1,10})(?:\r?\n|\Z)")
_BLANK = re.compile(rb"[ \r\n]*\Z")
# Python reads text files so: a lone carriage return ends a line, too.
_LINE = re.compile(rb"([^\r\n]*+)(?:\r\n|\n|\r|\Z)")


def ranked_lines(content: bytearray, file: str) -> Iterator[tuple[bytes, int]]:
    """Tokens in base64, with their ranks, which are the ids. Raises FormatError."""
    at, line = 0, 1
    while match := _RANKED.match(content, at):
        yield bytes(match[1]), int(match[2])
        at, line = match.end(), line + 1
    if not _BLANK.match(content, at):
        raise FormatError(f"{file}: line {line:,} is no token in base64 with its rank")


def vocab_lines(content: bytearray, file: str) -> Iterator[tuple[bytes, int]]:
    """Tokens, whose ids are the lines' numbers from 0 on. Raises FormatError."""
    refuse_other_than_utf8(content, file)
    at, number = 0, 0
    while at < len(content) and (match := _LINE.match(content, at)):
        yield bytes(match[1]), number
        at, number = match.end(), number + 1
