"""Whatever bytes a tokenizer's file holds, there are ids or there is a fault."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fpcheck.anchors import ANCHORS
from tests.anchors.vocabularies import KINDS, numbered, read, sentencepiece, tokenizer_json, unigram

NONE = (None,) * len(ANCHORS)
FILES = sorted({file for file, _ in KINDS.values()})
few = settings(max_examples=60, deadline=None)
texts = st.text(max_size=8) | st.sampled_from(ANCHORS) | st.sampled_from(['"', "\\", "[", "▁a"])
vocabularies = st.lists(texts, unique=True, max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def is_sound(file: str, content: bytes) -> bool:
    anchors = read(file, content)
    return (anchors.ids == NONE) == bool(anchors.fault) and anchors.source == file


@few
@given(st.sampled_from(FILES), st.binary(max_size=64))
def test_random_bytes(file: str, content: bytes) -> None:
    assert is_sound(file, content)


@few
@given(st.sampled_from(sorted(KINDS)), st.integers(0), st.integers(0, 255), st.booleans())
def test_a_byte_that_changed_or_an_end_that_is_missing(
    kind: str, at: int, byte: int, cut: bool
) -> None:
    file, content = KINDS[kind]
    at %= len(content)

    assert is_sound(file, content[:at] + (b"" if cut else bytes([byte]) + content[at + 1 :]))


@few
@given(values, values, st.sampled_from([None, 1]))
def test_any_json(vocab: Any, added: Any, indent: int | None) -> None:
    assert is_sound("tokenizer.json", tokenizer_json(vocab, added, indent=indent))
    assert is_sound("vocab.json", json.dumps(vocab).encode())


@few
@given(vocabularies)
def test_any_vocabulary_gives_the_ids_of_its_order(tokens: list[str]) -> None:
    ids = tuple(tokens.index(anchor) if anchor in tokens else None for anchor in ANCHORS)
    for vocab in (numbered(tokens), unigram(tokens)):
        assert read("tokenizer.json", tokenizer_json(vocab)).ids == ids
    assert read("vocab.json", json.dumps(numbered(tokens), ensure_ascii=False).encode()).ids == ids
    if tokens:
        assert read("tokenizer.model", sentencepiece(tokens)).ids == ids
