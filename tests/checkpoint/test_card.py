"""What a model card declares, and that a card which can be read in two ways declares nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpcheck.checkpoint.card import MAX_FRONT_MATTER_BYTES, declared_bases
from tests.memory_source import MemorySource


def bases(card: str | bytes) -> tuple[str, ...]:
    content = card if isinstance(card, bytes) else card.encode("utf-8", "surrogatepass")
    return declared_bases(MemorySource({"README.md": content}))


def matter(text: str) -> str:
    return f"---\n{text}\n---\n\n# A model\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("base_model: a/b", ("a/b",)),
        ("license: mit\nbase_model: 'a/b'  # plain", ("a/b",)),
        ('"base_model": "a/b"', ("a/b",)),
        ("base_model:\n- a/b\n- c/d.e_f-1", ("a/b", "c/d.e_f-1")),
        ("base_model: [a/b, 'c/d']\ntags:\n- x", ("a/b", "c/d")),
        ("model-index:\n- name: x\n  base_model: no/no\nbase_model: a/b", ("a/b",)),
        ("model-index:\n- a: 1\n  a: 2\nbase_model: a/b", ("a/b",)),
        ("{base_model: a/b}", ("a/b",)),
    ],
)
def test_a_card_declares_its_base_models(text: str, expected: tuple[str, ...]) -> None:
    assert bases(matter(text)) == expected
    assert bases(matter(text).replace("\n", "\r\n")) == expected
    assert bases("\ufeff" + matter(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "x",
            "- a/b",
            "base_model",
            "base_model:",
            "[base_model, a/b]",
            "? [base_model]\n: a/b",
        ),
        *(
            "base_model: gpt2",
            "base_model: a/b/c",
            "base_model: https://hf.co/a/b",
            "base_model: a/b@c",
        ),
        *("base_model: a/..", "base_model: ../b", "base_model: 1", "base_model: {a/b: c/d}"),
        *("base_model: [[a/b]]", "base_model: a /b", "base_model: |\n  a/b\n  c/d"),
        "base_model: a/b\nlicense: mit\nbase_model: c/d",
        "license: mit\nlicense: mit\nbase_model: a/b",
        *("x: !!bool maybe\nbase_model: a/b", 'x: !!int ""\nbase_model: a/b'),
        *("x: !!timestamp abc\nbase_model: a/b", "base_model: !!str a/b", "base_model: ! a/b"),
        "x: !!python/object/apply:os.system [true]\nbase_model: a/b",
        *("x: &x 1\nbase_model: a/b", "x: *x\nbase_model: a/b", "<<: {base_model: a/b}"),
        "base_model: a/b\nx: [",
        "base_model: a/b\n...\n{}",
        "base_model: a/b\n--- {}",
        "x: " + "[" * 30 + "]" * 30 + "\nbase_model: a/b",
        'x: "\\UFFFFFFFF"\nbase_model: a/b',
    ],
)
def test_a_card_that_cannot_be_understood_declares_nothing(text: str) -> None:
    assert bases(matter(text)) == ()


@pytest.mark.parametrize(
    "character", ["\v", "\f", "\x1c", "\x1d", "\x85", "\u2028", "\u2029", "\r"]
)
def test_only_ends_of_lines_that_all_readers_know_end_a_line(character: str) -> None:
    assert bases(f"---{character}base_model: a/b{character}---\n\n# Mine\n") == ()
    if character != "\r":  # which ends a line of YAML, for the Hub as well
        assert bases(matter(f"license: mit{character}base_model: a/b")) == ()


def test_front_matter_stands_first_and_ends() -> None:
    assert bases("\n" + matter("base_model: a/b")) == ()
    assert bases("---\nbase_model: a/b\n") == ()
    assert bases("----\nbase_model: a/b\n---\n") == ()
    assert bases("---\nbase_model: a/b\n----\n") == ()
    assert bases(matter("x: " + "y" * MAX_FRONT_MATTER_BYTES + "\nbase_model: a/b")) == ()
    assert bases("---  \nbase_model: a/b\n--- ") == ("a/b",)


words = ["base_model", "a/b", "!!int", "!!bool", "!!timestamp", "\n- ", "\n  ", ": ", "<<"]
marks = st.sampled_from([*"-:?[]{}!&*|>'\"#%@`, \n\r\t\x85\u2028\\Uu0aé~", *words])
yaml_like = st.lists(marks, max_size=30).map("".join)


@given(st.binary(max_size=80) | yaml_like.map(matter).map(str.encode))
@settings(max_examples=600, deadline=None)
def test_any_card_declares_texts_and_raises_nothing(card: bytes) -> None:
    found = bases(card)

    assert all(isinstance(item, str) and item.count("/") == 1 for item in found)
