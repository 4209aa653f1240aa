"""What a scalar means, by the core schema of YAML 1.2: `no` is text, `1e3` is a number."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

Plain = str | int | float | bool | None

# Python's longest float prints in 25 characters. An endless run of digits is an attack or a
# mistake, and int() takes time that grows with its square.
MAX_NUMBER = 40

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBERS: tuple[tuple[re.Pattern[str], Callable[[str], int | float]], ...] = (
    (re.compile(r"[-+]?[0-9]+"), int),
    (re.compile(r"0o[0-7]+"), lambda text: int(text, 8)),
    (re.compile(r"0x[0-9a-fA-F]+"), lambda text: int(text, 16)),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
    (re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"), lambda text: math.nan),
)


def resolve(text: str) -> Plain:
    """The value of a plain scalar. Raises ValueError for a number too long or not finite."""
    if text in _WORDS:
        return _WORDS[text]
    read = next((read for pattern, read in _NUMBERS if pattern.fullmatch(text)), None)
    return _number(text, read) if read else text


def _number(text: str, read: Callable[[str], int | float]) -> int | float:
    if len(text) > MAX_NUMBER:
        raise ValueError("is a number with too many digits")
    value = read(text)
    if not math.isfinite(value):
        raise ValueError("is not a finite number")
    return value


def join_surrogates(text: str) -> str:
    """Pairs of \\u escapes, as JSON writes them, as one character. Raises ValueError for a half."""
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise ValueError("holds half a character (a lone surrogate)") from None
