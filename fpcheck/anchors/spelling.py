"""The anchors, and how vocabularies of each kind spell them.

Every anchor is spelled as the token that is this character and nothing else: not with a space or a
word's beginning before it (`Ġa`, `▁a`), and not as a word's continuation (`##a`). A vocabulary that
was converted into another format thus gives the same ids.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable

Spelling = Callable[[str], tuple[bytes, ...]]  # an anchor's spellings, the one to prefer first

# Single characters that vocabularies of every kind hold as tokens of their own: no capitals, which
# uncased ones lack; no space, which each kind writes in its own way and WordPiece not at all; and
# of the punctuation not `^`, `~`, `\` and the backtick, which are the rarest in text.
ANCHORS: tuple[str, ...] = tuple(
    "0123456789abcdefghijklmnopqrstuvwxyz" + "!\"#$%&'()*+,-./:;<=>?@[]_{|}"
)


def plain(anchor: str) -> tuple[bytes, ...]:
    """The character itself, else the byte that SentencePiece falls back on.

    Byte-level vocabularies, too, write printable ASCII as it is: GPT-2's table maps it to itself.
    """
    return anchor.encode(), b"<0x%02X>" % ord(anchor)


def phantom(anchor: str) -> tuple[bytes, ...]:
    """WordPiece in a GGUF file: llama.cpp writes "a" as "▁a", and "##a" as "a"."""
    return (f"▁{anchor}".encode(),)


def ranked(anchor: str) -> tuple[bytes, ...]:
    """tiktoken's files."""
    return (b64encode(anchor.encode()),)
