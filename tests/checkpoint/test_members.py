"""Members of a long object, whatever the pieces in which its bytes come."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpcheck.checkpoint import members, room
from fpcheck.checkpoint.members import MAX_KEY, Text
from fpcheck.checkpoint.room import Room
from fpcheck.errors import FormatError
from tests.memory_source import MemorySource

FILE = "a.json"
characters = st.characters(codec="utf-8")
values = st.integers(0, 2**60) | st.text(characters, max_size=9) | st.lists(st.none(), max_size=3)
objects = st.dictionaries(st.text(characters, max_size=9), values, max_size=5)


def text_of(content: bytes, read_size: int = 1 << 20) -> Text:
    source = MemorySource({FILE: content}, read_size=read_size)
    return Text(source, FILE, (0, len(content)), Room())


def read(text: Text) -> Iterable[tuple[str, object]]:
    yield from ((key, text.value()) for key in text.members())
    text.end()


def taken(content: bytes) -> dict[str, object] | None:
    try:
        return dict(read(text_of(content)))
    except FormatError:
        return None


@given(objects, st.booleans(), st.sampled_from([None, 1, 3]), st.integers(1, 12))
@settings(max_examples=200, deadline=None)
def test_every_member_is_found_in_whatever_pieces_it_comes(
    value: dict[str, object], escaped: bool, indent: int | None, read_size: int
) -> None:
    content = json.dumps(value, ensure_ascii=escaped, indent=indent).encode()

    assert dict(read(text_of(content, read_size))) == value


@given(st.binary(max_size=40) | st.text('{}[]",:\\ud8c0 1', max_size=30).map(str.encode))
@settings(max_examples=500, deadline=None)
def test_what_is_read_is_what_python_reads(content: bytes) -> None:
    found = taken(content)

    if found is not None:
        assert found == json.loads(content)


@given(st.text(st.sampled_from('ab"\\/nud8c0Dé\U00010000\n'), max_size=20))
@settings(max_examples=500, deadline=None)
def test_a_text_is_passed_exactly_when_it_can_be_read(raw: str) -> None:
    """`skip_text` against `value`, which decodes what it passes."""
    content = f'{{"a":"{raw}"}}'.encode()
    text = text_of(content)
    try:
        for _ in text.members():
            text.skip_text()
        text.end()
        passed = True
    except FormatError:
        passed = False

    assert passed == (taken(content) is not None)


@pytest.mark.parametrize("inside", ["x", "é", "\U00010000", r"\n", r"\u00e9", r"\ud800\udc00"])
def test_a_text_longer_than_memory_is_passed(inside: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "STEP", 64)
    monkeypatch.setattr(members, "MAX_ITEM", 16)
    text = text_of(('{"a":"' + inside * 1_000 + '","b":""}').encode())
    keys = []
    for key in text.members():
        text.skip_text()
        keys.append(key)

    assert keys == ["a", "b"]


@pytest.mark.parametrize("one", ["x", "é", "\U00010000"])
@pytest.mark.parametrize("escaped", [True, False])
def test_a_name_may_have_a_thousand_characters_and_not_many_more(one: str, escaped: bool) -> None:
    def content(length: int) -> bytes:
        return json.dumps({one * length: 1}, ensure_ascii=escaped).encode()

    assert taken(content(MAX_KEY)) == {one * MAX_KEY: 1}
    with pytest.raises(FormatError, match="a name of more than"):
        dict(read(text_of(content(MAX_KEY + 1))))


def test_the_place_of_a_fault_is_counted_from_the_beginning() -> None:
    content = b'{"a":"' + b"x" * 10_000 + b'","b":}'

    with pytest.raises(FormatError, match="after 10,012 characters"):
        dict(read(text_of(content)))
    with pytest.raises(FormatError, match="not UTF-8 at byte 10,000"):
        dict(read(text_of(b" " * 10_000 + b"\xff", read_size=4_000)))


def test_no_more_names_are_taken_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    content = json.dumps(dict.fromkeys("abc")).encode()
    monkeypatch.setattr(room, "MAX_TENSORS", 3)
    assert taken(content)

    monkeypatch.setattr(room, "MAX_TENSORS", 2)
    with pytest.raises(FormatError, match="more than 2 names"):
        dict(read(text_of(content)))
