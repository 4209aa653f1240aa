"""JSON as the safetensors format means it: nothing that two readers could read differently."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from fpcheck.errors import FormatError


def parse_object(
    content: bytes | bytearray, what: str, *, constants: bool = False
) -> dict[str, Any]:
    """A JSON object, or FormatError: UTF-8, no duplicate keys, no NaN, no lone surrogates.

    `what` names the file in errors; `constants` admits Python's NaN and Infinity.
    """
    try:
        text = bytes(content).decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"{what}: not UTF-8 at byte {error.start}") from error
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=float if constants else _no_constant,
            parse_int=_integer,
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise FormatError(f"{what}: not JSON: {error.msg} at {place}") from error
    except RecursionError as error:
        raise FormatError(f"{what}: JSON nested too deeply") from error
    except ValueError as error:
        raise FormatError(f"{what}: {error}") from error
    if not isinstance(value, dict):
        raise FormatError(f"{what}: expected a JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        repeated = next(k for k, _ in pairs if k in seen or seen.add(k))  # type: ignore[func-returns-value]  # set.add returns None, which is the point
        raise ValueError(f"key {repeated!r} stands twice")
    for key, value in pairs:
        _no_lone_surrogate(key)
        if isinstance(value, str):
            _no_lone_surrogate(value)
    return result


def _no_lone_surrogate(text: str) -> None:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"{text!r} holds half a character (a lone surrogate)") from error


def _integer(digits: str) -> int:
    if digits == "-0":  # a float to some readers, an integer to others
        raise ValueError("-0 is not an integer")
    if len(digits) > 20:
        raise ValueError(f"{digits[:20]}… has too many digits")
    return int(digits)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
