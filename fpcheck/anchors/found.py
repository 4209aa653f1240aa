"""The ids of a few tokens out of a vocabulary of any size, whatever it is read from."""

from __future__ import annotations

from collections.abc import Iterable

from fpcheck.errors import FormatError

Tokens = Iterable[tuple[bytes, int]]  # UTF-8, as the vocabulary writes it, and the id

MAX_TOKENS = 2_000_000  # the largest released vocabularies have a million
MAX_ID = 2**32 - 1  # the tokenizers library's own limit


def find(tokens: Tokens, wanted: frozenset[bytes], file: str) -> dict[bytes, int]:
    """The ids of those of the wanted tokens that are there.

    Raises FormatError for a vocabulary that is too large, or gives a wanted token two ids.
    """
    found: dict[bytes, int] = {}
    for count, (token, number) in enumerate(tokens):
        if count >= MAX_TOKENS:
            raise FormatError(f"{file}: a vocabulary of more than {MAX_TOKENS:,} tokens")
        if token not in wanted:
            continue
        if found.setdefault(token, number) != number:
            raise FormatError(
                f"{file}: the token {token.decode()!r} has two ids, {found[token]:,} and {number:,}"
            )
        if number > MAX_ID:
            raise FormatError(f"{file}: {number} is no id of the token {token.decode()!r}")
    return found
