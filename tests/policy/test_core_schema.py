"""What a plain scalar means."""

from __future__ import annotations

import pytest

from fpcheck.policy.core_schema import Plain, join_surrogates, resolve

WORDS: dict[str, Plain] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
NUMBERS = (
    *(("0", 0), ("12", 12), ("-7", -7), ("+7", 7), ("0o17", 15), ("0x1F", 31), ("010", 10)),
    *(("1e3", 1000.0), ("1.", 1.0), (".5", 0.5), ("-.5", -0.5), ("+1.5E-2", 0.015)),
)
TEXTS = (
    *("no", "yes", "on", "off", "y", "n", "nUll", "tRUE", "None", "nil"),
    *("12:30:45", "1:2", "1_000", "0b1", "0x", "0o8", "-0x1", "+0o7", "1,5", "2026-01-01"),
    *(".", "-", "+", "e3", "1e", "1e3.5", ".e1", "1.2.3", "1 ", "١", "１", "inf", "nan", ".Nan"),
    *("+.nan", "=", "<<", "\u00a01"),
)


@pytest.mark.parametrize(("text", "value"), [*WORDS.items(), *NUMBERS])
def test_core_schema_scalars_have_their_value(text: str, value: Plain) -> None:
    assert (resolve(text), type(resolve(text))) == (value, type(value))


@pytest.mark.parametrize("text", TEXTS)
def test_everything_else_is_text(text: str) -> None:
    assert resolve(text) == text


@pytest.mark.parametrize("text", [".inf", "-.INF", "+.Inf", ".nan", ".NaN", "1e999", "-1e999"])
def test_what_is_not_finite_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a finite number"):
        resolve(text)


@pytest.mark.parametrize("text", ["9" * 41, f"0x{'f' * 5000}", f"0.{'0' * 300_000}1"])
def test_numbers_without_end_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="too many digits"):
        resolve(text)


def test_long_text_of_digits_is_still_text() -> None:
    assert resolve("9" * 100 + "x") == "9" * 100 + "x"


def test_two_escapes_that_make_one_character_are_joined() -> None:
    assert join_surrogates("a\ud83d\ude00b") == "a😀b"


@pytest.mark.parametrize("text", ["\ud83d", "\ude00\ud83d", "a\ud83dz"])
def test_half_a_character_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="half a character"):
        join_surrogates(text)
