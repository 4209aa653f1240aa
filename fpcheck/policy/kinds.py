"""What a field of a policy may hold, and how to tell."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

from fpcheck.policy.core_schema import Plain
from fpcheck.reference import ID

# Characters that do not show, or that change how their neighbours show. A Python and a JSON
# Schema regular expression alike, so it keeps to \uXXXX.
INVISIBLE = r"[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
MAX_TEXT = 4096  # no file system takes a longer path
MAX_ITEMS = 1000  # more bases or libraries than any release has


class Kind(Enum):
    """What a field holds, as errors name it."""

    BLOCK = "keys with values"
    CHOICE = "one of a few words"
    NUMBER = "a number"
    INTEGER = "an integer"
    TEXT = f"one line of visible text, {MAX_TEXT:,} characters at most,"
    ID = "an id owner/name"
    TEXTS = "a list of texts"
    IDS = "a list of ids owner/name"


# What the text of a kind must contain; none may contain INVISIBLE.
PATTERNS = {Kind.TEXT: r"\S", Kind.ID: f"^{ID.pattern}$"}
ITEMS = {Kind.TEXTS: Kind.TEXT, Kind.IDS: Kind.ID}


class Tighter(StrEnum):
    """Which of two values of a field accepts less."""

    LOWER = "Lower is tighter."
    HIGHER = "Higher is tighter."
    EARLIER = "The choice listed earlier is tighter."
    FEWER = "Fewer entries are tighter."
    MORE = "More entries are tighter."


class Null(StrEnum):
    """What null means where a field takes it."""

    UNSAID = "null is the same as no such key."
    OFF = "null switches the rule off, the loosest that it can be."
    UNASKED = "null drops a condition of the rule, the tightest that it can be."


Default = int | float | str | tuple[str, ...] | None


@dataclass(frozen=True)
class Field:
    """One key of the file. `way_out` is the hint of every error about it.

    `default` holds when the key is absent; a block without one takes those of its keys.
    `choices` stand tightest first; a number is greater than `above`, not equal to it.
    """

    path: str
    kind: Kind
    meaning: str
    way_out: str
    default: Default = None
    required: bool = False
    null: Null | None = None
    tighter: Tighter | None = None
    minimum: int | None = None
    maximum: int | None = None
    above: int | None = None
    choices: tuple[str | int, ...] = ()

    @property
    def parent(self) -> str:
        return self.path.rpartition(".")[0]

    @property
    def key(self) -> str:
        return self.path.rpartition(".")[2]


def fits(field: Field, value: Plain) -> bool:
    """Whether a single value is one that the field takes."""
    return _FITS[field.kind](field, value)


def expected(field: Field) -> str:
    """What the field takes, in words."""
    words = " or ".join(map(repr, field.choices)) or field.kind.value
    words += _range(field)
    return f"{words} or null" if field.null else words


def _range(field: Field) -> str:
    if field.above is not None:
        return f" above {field.above} and up to {field.maximum}"
    if field.maximum is not None:
        return f" from {field.minimum} to {field.maximum}"
    return "" if field.minimum is None else f" of at least {field.minimum}"


def _chosen(field: Field, value: Any) -> bool:
    """Equality alone would take `true` and `1.0` for 1."""
    return any(value == choice and type(value) is type(choice) for choice in field.choices)


def _in_range(field: Field, value: Any) -> bool:
    return (
        (field.minimum is None or value >= field.minimum)
        and (field.above is None or value > field.above)
        and (field.maximum is None or value <= field.maximum)
    )


def _readable(field: Field, text: Any) -> bool:
    if type(text) is not str or len(text) > MAX_TEXT or re.search(INVISIBLE, text):
        return False
    return re.search(PATTERNS[field.kind], text) is not None


# The exact types: to isinstance, true and false are integers.
_FITS: dict[Kind, Callable[[Field, Any], bool]] = {
    Kind.CHOICE: _chosen,
    Kind.NUMBER: lambda field, value: type(value) in (int, float) and _in_range(field, value),
    Kind.INTEGER: lambda field, value: type(value) is int and _in_range(field, value),
    Kind.TEXT: _readable,
    Kind.ID: _readable,
}
