"""JSON as the safetensors format means it: nothing that two readers could read differently."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from fpcheck.errors import FormatError

HINT = "write the file again with the library that it comes from"
REFUSALS = (ValueError, RecursionError)  # all that decoding raises


def parse_object(
    content: bytes | bytearray, what: str, *, constants: bool = False
) -> dict[str, Any]:
    """A JSON object, or FormatError: UTF-8, no duplicate keys, no NaN, no lone surrogates.

    `what` names the file in errors; `constants` admits Python's NaN and Infinity.
    """
    try:
        value = (_LENIENT if constants else STRICT).decode(bytes(content).decode("utf-8"))
    except REFUSALS as error:
        raise refusal(error, what) from error
    if not isinstance(value, dict):
        raise FormatError(f"{what}: expected a JSON object", hint=HINT)
    return value


def refusal(
    error: ValueError | RecursionError, what: str, behind: int | None = None, hint: str = HINT
) -> FormatError:
    """The error for whatever decoding raised; `behind` is how much was decoded before."""
    if isinstance(error, UnicodeDecodeError):
        fault = f"not UTF-8 at byte {(behind or 0) + error.start:,}"
    elif isinstance(error, json.JSONDecodeError):
        place = f"at line {error.lineno}, column {error.colno}"
        if behind is not None:
            place = f"after {behind + error.pos:,} characters"
        fault = f"not JSON: {error.msg} {place}"
    else:
        fault = "JSON nested too deeply" if isinstance(error, RecursionError) else str(error)
    return FormatError(f"{what}: {fault}", hint=hint)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        repeated = next(k for k, _ in pairs if k in seen or seen.add(k))  # type: ignore[func-returns-value]  # set.add returns None, which is the point
        raise ValueError(f"key {shown(repeated)} stands twice")
    for key, value in pairs:
        no_lone_surrogate(key)
        if isinstance(value, str):
            no_lone_surrogate(value)
    return result


def no_lone_surrogate(text: str) -> None:
    """Refuse half a character with ValueError: no report could be written with it."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"{shown(text)} holds half a character (a lone surrogate)") from error


def shown(text: str) -> str:
    """A text of any length for a message."""
    return repr(text if len(text) <= 80 else text[:80] + "…")


def _integer(digits: str) -> int:
    if digits == "-0":  # a float to some readers, an integer to others
        raise ValueError("-0 is not an integer")
    if len(digits) > 20:
        raise ValueError(f"{digits[:20]}… has too many digits")
    return int(digits)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


STRICT = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_constant=_no_constant
)
_LENIENT = json.JSONDecoder(object_pairs_hook=_unique, parse_int=_integer, parse_constant=float)
