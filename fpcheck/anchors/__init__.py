"""Which rows of a checkpoint's embedding spell the anchors: a list of strings fixed for all models.

Ids are what a tokenizer file says. Whoever releases a model can permute a file and its embedding
alike, which changes nothing here, or spoil the file alone, which no reading of it can show.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from fpcheck.anchors.found import Tokens, find
from fpcheck.anchors.json_vocabulary import tokenizer_json, vocab_json
from fpcheck.anchors.lines import ranked_lines, vocab_lines
from fpcheck.anchors.pieces import is_sentencepiece, pieces
from fpcheck.anchors.spelling import ANCHORS, Spelling, phantom, plain, ranked
from fpcheck.checkpoint import Checkpoint
from fpcheck.checkpoint.pointers import refuse_pointer
from fpcheck.errors import FormatError
from fpcheck.source import Source, read_small

__all__ = ["ANCHORS", "Anchors", "anchor_ids"]

MAX_BYTES = 64_000_000  # of a tokenizer's file; the largest released have some 35 MB
TIKTOKEN = ".tiktoken"
MODEL = "tokenizer.model"
Ids = tuple[int | None, ...]
Reader = Callable[[bytearray, str], Ids]


VERSIONED = re.compile(r"tokenizer\.[0-9][0-9.]*\.json")  # for loaders from that version on


@dataclass(frozen=True)
class Anchors:
    """The embedding's row of each anchor, in the order of ANCHORS; None where there is no such
    token.

    `source` is the file that said so, "" when the checkpoint has none; `fault` says why no id is
    known, else "" (both untrusted text). Rows are not held against the embedding's size.
    """

    ids: Ids
    source: str = ""
    fault: str = ""


def anchor_ids(checkpoint: Checkpoint) -> Anchors:
    """The rows of the anchors by the tokenizer file that a loader would take, without running it.

    A file that is malformed is a fault, and no other is read in its place: its loader would not
    either. Raises SourceError when bytes cannot be had.
    """
    file = ""
    try:
        file = _chosen(checkpoint)
        return Anchors(_ids(checkpoint.source, file), file)
    except FormatError as error:
        return Anchors((None,) * len(ANCHORS), file, str(error))


def _chosen(checkpoint: Checkpoint) -> str:
    """The file to read. Raises FormatError when there is none, or a choice."""
    if checkpoint.shards and checkpoint.shards[0].endswith(".gguf"):
        return checkpoint.shards[0]  # its loaders read no other
    files = checkpoint.source.files()
    texts = [name for name in files if name.endswith(TIKTOKEN) and "/" not in name]
    known = ("tokenizer.json", MODEL, *texts, "vocab.json", "vocab.txt")
    found = [name for name in known if name in files]
    if not found:
        raise FormatError(f"no tokenizer: none of {', '.join(known)} is there")
    if found[0] in texts[:1] and len(texts) > 1:
        raise FormatError(f"{len(texts):,} {TIKTOKEN} files: which of them is the model's?")
    return found[0]


def _ids(source: Source, file: str) -> Ids:
    if file.endswith(".gguf"):
        return _of_gguf(source, file)
    rival = next((name for name in source.files() if VERSIONED.fullmatch(name)), None)
    if rival:
        raise FormatError(f"{rival}: loaders may take it, by their version, instead of {file}")
    refuse_pointer(source, file)
    content = read_small(source, file, MAX_BYTES)
    return READERS.get(file, _of_ranked)(content, file)


def _of_gguf(source: Source, file: str) -> Ids:
    from fpcheck.checkpoint.gguf.vocabulary import read_vocabulary  # needs an optional package

    model, tokens = read_vocabulary(source, file)
    # llama.cpp's conversion of WordPiece turns "a" into "▁a" and "##a" into "a".
    return _spelled(file, tokens, phantom if model == "bert" else plain)


def _of_tokenizer_json(content: bytearray, file: str) -> Ids:
    vocabulary, added = tokenizer_json(content, file)
    # The tokenizers library gives an added token the id that the vocabulary has for it, if any.
    return _spelled(file, vocabulary, plain, added)


def _of_model(content: bytearray, file: str) -> Ids:
    """SentencePiece's, or the text under the same name that Llama 3 has."""
    if is_sentencepiece(content):
        return _spelled(file, pieces(content, file), plain)
    return _of_ranked(content, file)


def _of_ranked(content: bytearray, file: str) -> Ids:
    return _spelled(file, ranked_lines(content, file), ranked)


def _of_vocab_json(content: bytearray, file: str) -> Ids:
    return _spelled(file, vocab_json(content, file), plain)


def _of_vocab_txt(content: bytearray, file: str) -> Ids:
    return _spelled(file, vocab_lines(content, file), plain)


READERS: Mapping[str, Reader] = MappingProxyType(
    {
        "tokenizer.json": _of_tokenizer_json,
        MODEL: _of_model,
        "vocab.json": _of_vocab_json,
        "vocab.txt": _of_vocab_txt,
    }
)


def _spelled(file: str, tokens: Tokens, spelling: Spelling, further: Tokens = ()) -> Ids:
    """The id of each anchor's first spelling that there is. Raises FormatError."""
    wanted = frozenset(text for anchor in ANCHORS for text in spelling(anchor))
    found = find(further, wanted, file) | find(tokens, wanted, file)
    ids = tuple(
        next((found[text] for text in spelling(anchor) if text in found), None)
        for anchor in ANCHORS
    )
    _refuse_shared(ids, file)
    return ids


def _refuse_shared(ids: Ids, file: str) -> None:
    owners: dict[int, str] = {}
    for anchor, number in zip(ANCHORS, ids, strict=True):
        if number is None:
            continue
        if number in owners:
            raise FormatError(
                f"{file}: the token {number:,} is both {owners[number]!r} and {anchor!r}"
            )
        owners[number] = anchor
    if not owners:
        raise FormatError(f"{file}: none of its tokens is one of the {len(ANCHORS)} anchors")
