"""The same little vocabulary in every format that tokenizers come in."""

from __future__ import annotations

import json
import struct
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fpcheck.anchors import ANCHORS, Anchors, anchor_ids
from fpcheck.checkpoint import Checkpoint
from tests.memory_source import MemorySource

# Capitals and continuations come first, so that no id is that of another reading by chance.
WORDS = ("[UNK]", *"ABC", "the", "▁the", "##ing", "é", '\\"', "\U0001f600")
TOKENS = (*WORDS, *(f"##{anchor}" for anchor in ANCHORS), *reversed(ANCHORS), "last")
IDS = tuple(TOKENS.index(anchor) for anchor in ANCHORS)


def checkpoint(files: Mapping[str, bytes], shard: str = "model.safetensors") -> Checkpoint:
    """A checkpoint of no tensors with these files."""
    source = MemorySource(files)
    return Checkpoint(source, {}, (shard,), {}, (), tuple(source.files().values()), ())


def read(file: str, content: bytes) -> Anchors:
    """What one tokenizer file says."""
    return anchor_ids(checkpoint({file: content}))


def numbered(tokens: Iterable[str]) -> dict[str, int]:
    """Ids by token, in their order."""
    return {token: number for number, token in enumerate(tokens)}


def tokenizer_json(vocab: Any, added: Sequence[Any] = (), **options: Any) -> bytes:
    """As the tokenizers library writes it, with merges in pairs."""
    model = {"type": "BPE", "vocab": vocab, "merges": [["a", "b"], ["[", '"']]}
    content = {"version": "1.0", "added_tokens": added, "normalizer": {"a": [[]]}, "model": model}
    return json.dumps(content, **options).encode()


def added(number: Any, content: Any) -> dict[str, Any]:
    return {"id": number, "content": content, "single_word": False, "special": True}


def varint(value: int) -> bytes:
    """A number as protobuf writes it."""
    digits = []
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*digits, value])


def field(number: int, content: bytes) -> bytes:
    """A field of bytes."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def piece(token: str, kind: int = 1) -> bytes:
    """One of SentencePiece's: text, score, type."""
    score = b"\x15" + struct.pack("<f", -1.5)
    return field(1, field(1, token.encode()) + score + b"\x18" + varint(kind))


def sentencepiece(tokens: Iterable[str]) -> bytes:
    """A model, with settings behind the pieces as the library writes them."""
    return b"".join(map(piece, tokens)) + field(2, b"\x18\x02") + field(3, b"")


def tiktoken(tokens: Iterable[str]) -> bytes:
    """Tokens in base64 with their ranks."""
    return b"".join(b"%b %d\n" % (b64encode(t.encode()), i) for i, t in enumerate(tokens))


def unigram(tokens: Iterable[str]) -> list[list[Any]]:
    return [[token, -1.5e-3 * number] for number, token in enumerate(tokens)]


KINDS: Mapping[str, tuple[str, bytes]] = {
    "BPE": ("tokenizer.json", tokenizer_json(numbered(TOKENS))),
    "indented": ("tokenizer.json", tokenizer_json(numbered(TOKENS), indent=2)),
    "as it is": ("tokenizer.json", tokenizer_json(numbered(TOKENS), ensure_ascii=False)),
    "Unigram": ("tokenizer.json", tokenizer_json(unigram(TOKENS))),
    "SentencePiece": ("tokenizer.model", sentencepiece(TOKENS)),
    "Llama 3": ("tokenizer.model", tiktoken(TOKENS)),
    "Qwen": ("qwen.tiktoken", tiktoken(TOKENS)),
    "GPT-2": ("vocab.json", json.dumps(numbered(TOKENS)).encode()),
    "BERT": ("vocab.txt", "\n".join(TOKENS).encode()),
    "BERT, Windows": ("vocab.txt", "\r\n".join(TOKENS).encode() + b"\r\n"),
}
