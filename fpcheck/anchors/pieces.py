"""SentencePiece's models: as much of the protobuf wire format as leads to the pieces.

Read here, since native parsers of protobuf may end the process over a hostile file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from fpcheck.errors import FormatError

# Tags: the field's number and how it is written, here as bytes with their length before them.
_PIECES = 1 << 3 | 2  # of a model: one message each, in the order of their ids
_PIECE = 1 << 3 | 2  # of such a message: the text
_LONGEST = 10  # bytes of a number


class Field(NamedTuple):
    """One field of a message: its value is the bytes `start:stop`."""

    tag: int
    start: int
    stop: int


def is_sentencepiece(content: bytearray) -> bool:
    """Whether this begins as a model that has pieces, and as no text that holds base64."""
    return content[:1] == bytes([_PIECES])


def pieces(content: bytearray, file: str) -> Iterator[tuple[bytes, int]]:
    """The pieces with their ids, which are their places. Raises FormatError."""
    number = 0
    for field in _fields(content, 0, len(content), file):
        if field.tag == _PIECES:
            yield _piece(content, field, file), number
            number += 1


def _piece(content: bytearray, message: Field, file: str) -> bytes:
    """The text of one piece: by protobuf's rules the last that is there, "" when none is."""
    text = b""
    for tag, start, stop in _fields(content, message.start, message.stop, file):
        if tag == _PIECE:
            text = bytes(content[start:stop])
    return text


def _fields(content: bytearray, at: int, stop: int, file: str) -> Iterator[Field]:
    while at < stop:
        tag, start = _number(content, at, stop, file)
        end = start
        match tag & 7 if tag >> 3 else None:
            case None:
                raise FormatError(f"{file}: byte {at:,}: a field 0, which protobuf does not have")
            case 0:
                _, end = _number(content, start, stop, file)
            case 1:
                end += 8
            case 2:
                length, start = _number(content, start, stop, file)
                end = start + length
            case 5:
                end += 4
            case kind:
                raise FormatError(f"{file}: byte {at:,}: {kind} is no kind of a protobuf field")
        if end > stop:
            raise _cut(file, at)
        yield Field(tag, start, end)
        at = end


def _number(content: bytearray, at: int, stop: int, file: str) -> tuple[int, int]:
    """A number in base 128, least digit first, and where it ends."""
    value = 0
    for place in range(_LONGEST):
        if at + place >= stop:
            raise _cut(file, at)
        byte = content[at + place]
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    raise FormatError(f"{file}: byte {at:,}: a number of more than {_LONGEST} bytes")


def _cut(file: str, at: int) -> FormatError:
    return FormatError(f"{file}: byte {at:,}: a field goes on beyond its message's end")
