"""Fields of a JSON document, taken one by one and checked: what is not taken is an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fpcheck.checkpoint.strict_json import parse_object
from fpcheck.errors import FormatError, UsageError

MAX_TEXT = 4_096
AGAIN = "write the file again with `fpcheck fingerprint` or `fpcheck library add`"


class Fields:
    """One JSON object of a user's file. Every method raises UsageError naming file and field."""

    def __init__(self, values: Mapping[str, Any], file: str, path: str = "") -> None:
        self._values, self.file, self._path = dict(values), file, path
        self._taken: set[str] = set()

    def fault(self, key: str, message: str) -> UsageError:
        """The error for one field, to be raised by the caller."""
        return UsageError(f"{self.file}: {self._path}{key[:80]}: {message}", hint=AGAIN)

    def names(self) -> Iterator[str]:
        """The names of the fields that are there."""
        return iter(self._values)

    def take(self, key: str) -> Any:
        """The field's value as it stands."""
        if key not in self._values:
            raise self.fault(key, "missing")
        self._taken.add(key)
        return self._values[key]

    def text(self, key: str, *, choices: tuple[str, ...] = (), empty: bool = False) -> str:
        """A string, one of `choices` when there are any."""
        value = self.take(key)
        if not isinstance(value, str) or not (value or empty) or len(value) > MAX_TEXT:
            raise self.fault(key, f"expected text, got {_shown(value)}")
        if choices and value not in choices:
            raise self.fault(key, f"expected {' or '.join(choices)}, got {_shown(value)}")
        return value

    def optional_text(self, key: str) -> str | None:
        """A string or null."""
        return None if self.take(key) is None else self.text(key)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        values = self._list(key)
        for value in values:
            if not isinstance(value, str) or len(value) > MAX_TEXT or not _encodable(value):
                raise self.fault(key, f"expected a list of texts, got {_shown(value)}")
        return tuple(values)

    def flag(self, key: str) -> bool:
        """true or false."""
        value = self.take(key)
        if not isinstance(value, bool):
            raise self.fault(key, f"expected true or false, got {_shown(value)}")
        return value

    def integer(self, key: str) -> int:
        """A whole number, not negative."""
        return self._integer(key, self.take(key))

    def integers(self, key: str) -> tuple[int, ...]:
        """A list of whole numbers, not negative."""
        return tuple(self._integer(key, value) for value in self._list(key))

    def numbers(self, key: str, length: int) -> tuple[float | None, ...]:
        """A list of `length` finite numbers or nulls."""
        values = self._list(key)
        if len(values) != length:
            raise self.fault(key, f"expected {length} values, one a layer, got {len(values)}")
        for value in values:
            if value is not None and not _finite(value):
                raise self.fault(key, f"expected finite numbers, got {_shown(value)}")
        return tuple(values)

    def mapping(self, key: str) -> Fields:
        """A JSON object."""
        value = self.take(key)
        if not isinstance(value, dict):
            raise self.fault(key, f"expected an object, got {_shown(value)}")
        return Fields(value, self.file, f"{self._path}{key}.")

    def mappings(self, key: str) -> tuple[Fields, ...]:
        """A list of JSON objects."""
        values = self._list(key)
        for value in values:
            if not isinstance(value, dict):
                raise self.fault(key, f"expected objects, got {_shown(value)}")
        path = f"{self._path}{key}"
        return tuple(Fields(v, self.file, f"{path}[{i}].") for i, v in enumerate(values))

    def close(self) -> None:
        """Refuse fields that nobody took."""
        unknown = sorted(set(self._values) - self._taken)
        if unknown:
            raise self.fault(unknown[0], "unknown field")

    def _list(self, key: str) -> list[Any]:
        value = self.take(key)
        if not isinstance(value, list):
            raise self.fault(key, f"expected a list, got {_shown(value)}")
        return value

    def _integer(self, key: str, value: Any) -> int:
        if type(value) is not int or value < 0:
            raise self.fault(key, f"expected a whole number, got {_shown(value)}")
        return value


def parse_document(content: bytes, name: str) -> Fields:
    """The fields of a JSON file. Raises UsageError for anything but one strict JSON object."""
    try:
        return Fields(parse_object(content, name), name)
    except FormatError as error:
        raise UsageError(str(error), hint=AGAIN) from error


def _finite(value: Any) -> bool:
    return type(value) in (int, float) and -1e300 <= value <= 1e300


def _encodable(text: str) -> bool:
    """False for half a character (a lone surrogate), which no report could be written with."""
    return text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text)


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):  # may be nested too deeply for repr
        return "an object" if isinstance(value, dict) else "a list"
    return repr(value)[:60]
