"""The tokens of a GGUF model, one by one: a header's longest list, which no other check reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gguf.constants import GGUFValueType, Keys

from fpcheck.checkpoint.gguf.cursor import CONVERT, LENGTH, Cursor
from fpcheck.checkpoint.gguf.metadata import MAX_KEPT, MAX_KEY, TYPE, kind_of, pass_value
from fpcheck.errors import FormatError
from fpcheck.source import Source

LONGEST = 64  # bytes of a token that is read; a longer one is given as b""
_BEFORE = TYPE.size + TYPE.size + LENGTH.size  # magic, version and the number of tensors


class Vocabulary(NamedTuple):
    """What kind of tokenizer it is, "" when it is not said, and the tokens with their ids."""

    kind: str
    tokens: Iterator[tuple[bytes, int]]


def read_vocabulary(source: Source, file: str) -> Vocabulary:
    """The vocabulary of a GGUF file whose header has been checked; tokens are read as they are
    taken.

    Raises FormatError, as taking tokens does, when there is none, or it is malformed.
    """
    cursor = Cursor(source, file)
    cursor.skip(_BEFORE)
    model, place = "", 0
    for _ in range(cursor.number(LENGTH)):
        key = cursor.text(MAX_KEY, "a key")
        if key == Keys.Tokenizer.LIST:
            place = cursor.place
        if key == Keys.Tokenizer.MODEL:
            _expect(cursor, key, GGUFValueType.STRING)
            model = cursor.text(MAX_KEPT, key)
        else:
            pass_value(cursor, key)
    if not place:
        raise FormatError(f"{file}: {Keys.Tokenizer.LIST}: there is none", hint=CONVERT)
    return Vocabulary(model, _tokens(source, file, place))


def _tokens(source: Source, file: str, place: int) -> Iterator[tuple[bytes, int]]:
    cursor = Cursor(source, file)
    cursor.skip(place)
    _expect(cursor, Keys.Tokenizer.LIST, GGUFValueType.ARRAY)
    _expect(cursor, Keys.Tokenizer.LIST, GGUFValueType.STRING)
    for number in range(cursor.number(LENGTH)):
        length = cursor.number(LENGTH)
        if length > LONGEST:
            cursor.skip(length)
        yield b"" if length > LONGEST else cursor.take(length), number


def _expect(cursor: Cursor, key: str, kind: GGUFValueType) -> None:
    found = kind_of(cursor, key)
    if found is not kind:
        raise FormatError(
            f"{cursor.file}: {key}: {found.name} where {kind.name} belongs", hint=CONVERT
        )
