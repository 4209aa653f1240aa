"""Vocabularies in JSON: tokenizer.json of the tokenizers library, vocab.json of older ones."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fpcheck.anchors.found import Tokens
from fpcheck.anchors.skim import SPACE, STRING, Skimmer, text
from fpcheck.anchors.utf8 import refuse_other_than_utf8
from fpcheck.checkpoint.strict_json import parse_object
from fpcheck.errors import FormatError

MAX_ENTRY = 65_536  # bytes of an added token's entry; real ones have some 200

_MEMBER = re.compile(SPACE.join((b"", b"(%b)" % STRING, b":", b"([0-9]{1,10})", b"([,}])")))
_PAIR = re.compile(
    SPACE.join((b"", rb"\[", b"(%b)" % STRING, b",", b"[-+.0-9eE]{1,40}", rb"\]", rb"([,\]])"))
)


def vocab_json(content: bytearray, file: str) -> Tokens:
    """The tokens of an object of ids by token. Raises FormatError."""
    refuse_other_than_utf8(content, file)
    skim = Skimmer(content, file)
    skim.skip()
    skim.end()
    return _members(content, Skimmer(content, file))


def tokenizer_json(content: bytearray, file: str) -> tuple[Tokens, Tokens]:
    """The tokens of a model's vocabulary, and those that were added. Raises FormatError."""
    refuse_other_than_utf8(content, file)
    places: dict[bytes, int] = {}
    skim = Skimmer(content, file)
    for key in skim.members():
        if key == b"model":
            for inner in skim.members():
                _pass(skim, places, b"model." + inner)
        else:
            _pass(skim, places, key)
    skim.end()
    if b"model.vocab" not in places:
        raise FormatError(f"{file}: model.vocab: there is none")
    added = places.get(b"added_tokens")
    return (
        _vocabulary(content, places[b"model.vocab"], file),
        () if added is None else _added(content, added, file),
    )


def _pass(skim: Skimmer, places: dict[bytes, int], key: bytes) -> None:
    """Pass a member's value, and keep its place if it is one to look at."""
    skim.peek()
    if key in (b"model.vocab", b"added_tokens"):
        if key in places:
            raise FormatError(f"{skim.file}: {key.decode()} stands twice")
        places[key] = skim.at
    skim.skip()


def _vocabulary(content: bytearray, at: int, file: str) -> Tokens:
    """Ids by token, or, of a Unigram model, tokens with their scores in the order of their ids."""
    skim = Skimmer(content, file, at)
    return _pairs(content, skim) if skim.peek() == b"[" else _members(content, skim)


def _members(content: bytearray, skim: Skimmer) -> Iterator[tuple[bytes, int]]:
    if not skim.begins(b"{", b"}"):
        return
    at, last = skim.at, b","
    while last == b",":
        match = _MEMBER.match(content, at)
        if not match:
            raise FormatError(f"{skim.file}: byte {at:,}: expected a token and its id")
        yield text(match[1]), int(match[2])
        at, last = match.end(), match[3]


def _pairs(content: bytearray, skim: Skimmer) -> Iterator[tuple[bytes, int]]:
    if not skim.begins(b"[", b"]"):
        return
    at, number, last = skim.at, 0, b","
    while last == b",":
        match = _PAIR.match(content, at)
        if not match:
            raise FormatError(f"{skim.file}: byte {at:,}: expected a token and its score")
        yield text(match[1]), number
        at, number, last = match.end(), number + 1, match[2]


def _added(content: bytearray, at: int, file: str) -> Iterator[tuple[bytes, int]]:
    skim = Skimmer(content, file, at)
    for _ in skim.items():
        entry = skim.value(MAX_ENTRY)
        where = f"{file}: added_tokens"
        fields = parse_object(entry, where)
        token, number = fields.get("content"), fields.get("id")
        if not isinstance(token, str) or type(number) is not int or number < 0:
            raise FormatError(f"{where}: expected a content and an id, at byte {skim.at:,}")
        yield token.encode(), number
