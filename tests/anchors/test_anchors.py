"""The ids of the anchors in tokenizers of every kind, well formed or not."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from fpcheck.anchors import ANCHORS, MAX_BYTES, anchor_ids, found, skim
from fpcheck.errors import SourceError
from fpcheck.source import SourceFile
from tests.anchors.vocabularies import (
    IDS,
    KINDS,
    TOKENS,
    added,
    checkpoint,
    numbered,
    piece,
    read,
    sentencepiece,
    tiktoken,
    tokenizer_json,
    unigram,
)
from tests.memory_source import MemorySource

NONE = (None,) * len(ANCHORS)
A = ANCHORS.index("a")


def test_there_are_64_and_each_is_one_printable_character() -> None:
    assert len(set(ANCHORS)) == 64
    assert all(len(a) == 1 and a.isascii() and a.isprintable() and a != " " for a in ANCHORS)
    assert not any(anchor.isupper() for anchor in ANCHORS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_vocabulary_gives_the_same_ids_in_every_format(kind: str) -> None:
    file, content = KINDS[kind]
    anchors = read(file, content)

    assert (anchors.fault, anchors.source, anchors.ids) == ("", file, IDS)


def test_files_are_taken_in_the_order_in_which_loaders_prefer_them() -> None:
    files = dict(KINDS[kind] for kind in ("BERT", "GPT-2", "Qwen", "SentencePiece", "BPE"))
    order = ["tokenizer.json", "tokenizer.model", "qwen.tiktoken", "vocab.json", "vocab.txt"]
    for file in order:
        assert anchor_ids(checkpoint(files)).source == file
        del files[file]

    anchors = anchor_ids(checkpoint(files))
    assert (anchors.ids, anchors.source) == (NONE, "")
    assert anchors.fault.startswith("no tokenizer")


def test_a_malformed_file_is_a_fault_whatever_lies_beside_it() -> None:
    files = dict([KINDS["BERT"]]) | {"tokenizer.json": b"{"}
    anchors = anchor_ids(checkpoint(files))

    assert (anchors.ids, anchors.source) == (NONE, "tokenizer.json")
    assert anchors.fault.startswith("tokenizer.json: byte 1: expected")


def test_a_tokenizer_in_a_folder_is_another_model_s() -> None:
    assert anchor_ids(checkpoint({"original/tokenizer.model": KINDS["Llama 3"][1]})).source == ""


def test_two_tiktoken_files_are_a_choice_that_is_not_made() -> None:
    content = KINDS["Qwen"][1]

    assert (
        "which of them"
        in anchor_ids(checkpoint({"a.tiktoken": content, "b.tiktoken": content})).fault
    )


def test_an_anchor_that_is_missing_has_no_id() -> None:
    anchors = read("vocab.txt", "\n".join(t for t in TOKENS if t != "a").encode())

    assert anchors.fault == ""
    assert [i for i, number in enumerate(anchors.ids) if number is None] == [A]


@pytest.mark.parametrize("order", [("<0x61>", "a"), ("a", "<0x61>")])
def test_a_piece_is_preferred_to_the_byte_that_stands_in_for_it(order: tuple[str, str]) -> None:
    assert read("tokenizer.model", sentencepiece(order)).ids[A] == order.index("a")
    assert read("tokenizer.model", sentencepiece(("▁a", "<0x61>"))).ids[A] == 1


def test_a_word_s_beginning_or_continuation_is_another_token() -> None:
    for token in ("▁a", "Ġa", "##a", "a</w>", " a", "A"):
        anchors = read("vocab.json", json.dumps({token: 0, "b": 1}).encode())
        assert (anchors.fault, anchors.ids[A]) == ("", None), token


def test_an_added_token_has_the_vocabulary_s_id_or_else_its_own() -> None:
    """As the tokenizers library does: of a token that it knows it overlooks the stated id."""
    assert read("tokenizer.json", tokenizer_json({"a": 3, "b": 1}, [added(7, "a")])).ids[A] == 3
    assert read("tokenizer.json", tokenizer_json({"b": 1}, [added(7, "a")])).ids[A] == 7


def test_a_key_may_be_spelled_with_escapes() -> None:
    content = tokenizer_json({"a": 5}).replace(b'"a": 5', rb'"\u0061": 5, "\u0062\ud800": 9')

    assert read("tokenizer.json", content.replace(b'"vocab"', rb'"voca\u0062"')).ids[A] == 5


def test_pieces_without_text_or_with_two_are_read_as_protobuf_means_them() -> None:
    twice = b"\x0a\x06\x0a\x01b\x0a\x01a"
    anchors = read("tokenizer.model", b"\x0a\x00" + twice + piece("c"))

    assert anchors.ids[A : A + 3] == (1, None, 2)


MODEL = b'"model":{"vocab":{"a":1}}'
BOTH = [added(1, "a"), added(2, "a")]
LATIN = tokenizer_json({"a": 1}).replace(b"a", b"\xff", 1)
BAD = {
    "no object": ("tokenizer.json", b"[]", "byte 0: expected '{'"),
    "empty": ("tokenizer.json", b"", "byte 0: expected '{'"),
    "two objects": ("tokenizer.json", tokenizer_json({"a": 1}) + b"{}", "nothing more"),
    "no vocabulary": ("tokenizer.json", b'{"model":{}}', "model.vocab: there is none"),
    "twice": ("tokenizer.json", b"{%b,%b}" % (MODEL, MODEL), "model.vocab stands twice"),
    "text": ("tokenizer.json", tokenizer_json("a"), "expected '{'"),
    "negative": ("tokenizer.json", tokenizer_json({"a": -1}), "expected a token and its id"),
    "bool": ("tokenizer.json", tokenizer_json({"a": True}), "expected a token and its id"),
    "fraction": ("tokenizer.json", tokenizer_json({"a": 1.0}), "expected a token and its id"),
    "huge": ("tokenizer.json", tokenizer_json({"a": 10**4000}), "expected a token and its id"),
    "33 bits": ("tokenizer.json", tokenizer_json({"a": 2**32}), "no id of the token 'a'"),
    "comma": ("vocab.json", b'{"a":1,}', "expected a token and its id"),
    "behind": ("vocab.json", b'{"a":1} 2', "expected nothing more"),
    "two ids": ("vocab.json", b'{"a":1,"a":2}', "the token 'a' has two ids, 1 and 2"),
    "shared": ("vocab.json", b'{"a":1,"b":1}', "the token 1 is both 'a' and 'b'"),
    "no score": ("tokenizer.json", tokenizer_json([["a"]]), "expected a token and its score"),
    "two added": ("tokenizer.json", tokenizer_json({"b": 0}, BOTH), "two ids"),
    "bool added": ("tokenizer.json", tokenizer_json({"b": 0}, [added(True, "a")]), "an id"),
    "odd added": ("tokenizer.json", tokenizer_json({"b": 0}, [added(1, ["a"])]), "a content"),
    "number added": ("tokenizer.json", tokenizer_json({"b": 0}, [1]), "expected a JSON object"),
    "long added": ("tokenizer.json", tokenizer_json({}, [added(1, "x" * 70_000)]), "more than"),
    "not UTF-8": ("tokenizer.json", LATIN, "not UTF-8"),
    "cut UTF-8": ("vocab.txt", b"a\n\xe2\x96", "not UTF-8"),
    "deep": ("tokenizer.json", b'{"x":' + b"[" * 200_000, "less nesting"),
    "wide": ("tokenizer.json", b'{"x":[' + b"[[]]," * 200_000, "less nesting"),
    "members": ("tokenizer.json", b"{" + b'"x":0,' * 2_000, "at most 1,000 members"),
    "nothing": ("vocab.txt", b"[UNK]\n", "none of its tokens is one of the 64 anchors"),
    "empty text": ("vocab.txt", b"", "none of its tokens"),
    "twice in text": ("vocab.txt", b"a\na\n", "the token 'a' has two ids, 0 and 1"),
    "no base64": ("x.tiktoken", b"YQ== 1\n<a> 2\n", "line 2 is no token in base64"),
    "rank": ("x.tiktoken", b"YQ== -1\n", "line 1 is no token in base64"),
    "group": ("tokenizer.model", piece("a") + b"\x0b", "byte 12: 3 is no kind"),
    "field 0": ("tokenizer.model", piece("a") + b"\x02\x00", "a field 0"),
    "long number": ("tokenizer.model", b"\x0a" + b"\xff" * 20, "a number of more than 10 bytes"),
    "cut number": ("tokenizer.model", piece("a") + b"\x12\x80", "beyond its message's end"),
    "length": ("tokenizer.model", b"\x0a\xff\xff\xff\xff\x0f", "beyond its message's end"),
    "piece's length": ("tokenizer.model", b"\x0a\x02\x0a\x09" + piece("a"), "beyond its message"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_malformed_is_a_fault_in_words(name: str) -> None:
    file, content, fault = BAD[name]
    anchors = read(file, content)

    assert anchors.ids == NONE
    assert anchors.source == file
    assert anchors.fault.startswith(f"{file}: ")
    assert fault in anchors.fault


def test_a_pointer_is_not_the_file_that_it_stands_for() -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 17078330\n"

    assert "a Git LFS pointer" in read("tokenizer.json", pointer).fault


def test_a_vocabulary_has_so_many_tokens_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(found, "MAX_TOKENS", len(TOKENS) - 1)

    for file, content in KINDS.values():
        assert "a vocabulary of more than" in read(file, content).fault


class Unreadable(MemorySource):
    """Files of any size, none of whose bytes can be had."""

    def files(self) -> dict[str, SourceFile]:
        return {name: SourceFile(name, int(content)) for name, content in self._content.items()}

    def read_into(self, file: str, start: int, view: memoryview) -> None:
        raise SourceError(f"{file}: gone")


def test_a_file_that_is_too_large_is_not_read_and_one_that_cannot_be_is_no_fault() -> None:
    given = checkpoint({})
    object.__setattr__(given, "source", Unreadable({"vocab.txt": b"%d" % (MAX_BYTES + 1)}))
    assert f"more than the {MAX_BYTES:,}" in anchor_ids(given).fault

    object.__setattr__(given, "source", Unreadable({"vocab.txt": b"%d" % MAX_BYTES}))
    with pytest.raises(SourceError):
        anchor_ids(given)


def test_whatever_is_passed_over_may_hold_brackets_and_quotes_in_its_texts() -> None:
    content = json.loads(tokenizer_json(numbered(TOKENS)))
    odd = ['"]}', "\\", '\\"[', "{", {"]": "\\\\", "}": [[], {}, [['"']]]}, 1.5e-3, None, True]
    content = {"before": odd, **content, "after": odd}
    content["model"] = {"x": odd, **content["model"], "y": odd}

    assert read("tokenizer.json", json.dumps(content).encode()).ids == IDS


def test_a_long_key_is_none_of_them() -> None:
    assert skim.text(b'"' + b"a" * skim.MAX_TEXT + b'"') == b""
    assert skim.text(rb'"\q"') == b""


def test_scores_may_be_of_any_form() -> None:
    assert read("tokenizer.json", tokenizer_json(unigram("ab"))).ids[A : A + 2] == (0, 1)
    assert read("tokenizer.json", tokenizer_json([["a", 0], ["b", -1e30]])).ids[A : A + 2] == (0, 1)


def test_fields_of_every_kind_are_passed_over() -> None:
    further = b"\x08\x80\x01" + b"\x11" + bytes(8) + b"\x15" + bytes(4) + b"\x12\x02xx"

    assert read("tokenizer.model", piece("b") + further + piece("a")).ids[A : A + 2] == (1, 0)


def test_merges_are_never_held_as_objects() -> None:
    content = tokenizer_json({"a": 1}).replace(b'["a", "b"], ', b'["a", "b"], ' * 200_000)
    given = checkpoint({"tokenizer.json": content})
    tracemalloc.start()
    try:
        assert anchor_ids(given).ids[A] == 1
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 2.5 * len(content) + 10_000_000  # the source's copy, ours, and a step of UTF-8


def test_the_last_line_of_ranks_may_be_open_and_one_may_hold_no_text() -> None:
    content = tiktoken("ab").rstrip() + b"\n= 2"  # Whisper's

    assert read("x.tiktoken", content).ids[A : A + 2] == (0, 1)
