"""The keys and values of a GGUF header: of all, those few that a check needs.

Every value is walked, and none that is long is read: a vocabulary is passed over text by text.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct
from types import MappingProxyType

from gguf.constants import GGUFValueType, Keys

from fpcheck.checkpoint.gguf.cursor import CONVERT, LENGTH, Cursor
from fpcheck.errors import FormatError

Value = int | float | bool | str | tuple[int, ...]

MAX_KEYS = 4_096  # released models have some dozens
MAX_KEY = 1_024  # bytes
MAX_KEPT = 256  # bytes of a text that is kept
MAX_LIST = 2_000  # numbers of a list that is kept: one a layer
MAX_LISTS = 16  # that are kept

TYPE = Struct("<I")
NUMBERS: Mapping[GGUFValueType, Struct] = MappingProxyType(
    {
        GGUFValueType.UINT8: Struct("<B"),
        GGUFValueType.INT8: Struct("<b"),
        GGUFValueType.UINT16: Struct("<H"),
        GGUFValueType.INT16: Struct("<h"),
        GGUFValueType.UINT32: Struct("<I"),
        GGUFValueType.INT32: Struct("<i"),
        GGUFValueType.FLOAT32: Struct("<f"),
        GGUFValueType.BOOL: Struct("<?"),
        GGUFValueType.UINT64: Struct("<Q"),
        GGUFValueType.INT64: Struct("<q"),
        GGUFValueType.FLOAT64: Struct("<d"),
    }
)
KEPT_TEXTS = frozenset({Keys.General.ARCHITECTURE})
# Both may differ from layer to layer, and are lists then.
KEPT_LISTS = (".attention.head_count", ".attention.head_count_kv")


def read_metadata(cursor: Cursor, count: int) -> dict[str, Value]:
    """The numbers of a header by key, and the texts and lists that are kept. Raises FormatError."""
    if count > MAX_KEYS:
        raise FormatError(
            f"{cursor.file}: the header claims {count:,} keys, more than {MAX_KEYS:,}", hint=CONVERT
        )
    seen: set[str] = set()
    kept: dict[str, Value] = {}
    for _ in range(count):
        key = cursor.text(MAX_KEY, "a key")
        if not key or key in seen:
            fault = "stands twice" if key else "is empty"
            raise FormatError(f"{cursor.file}: the key {key!r} {fault}", hint=CONVERT)
        seen.add(key)
        value = pass_value(cursor, key)
        if value is not None:
            kept[key] = value
        if sum(isinstance(value, tuple) for value in kept.values()) > MAX_LISTS:
            raise FormatError(f"{cursor.file}: more than {MAX_LISTS} lists of heads", hint=CONVERT)
    return kept


def pass_value(cursor: Cursor, key: str) -> Value | None:
    """Pass over the value of a key; what is kept of it, if anything. Raises FormatError."""
    kind = kind_of(cursor, key)
    if kind is GGUFValueType.ARRAY:
        return _list(cursor, key)
    if kind is not GGUFValueType.STRING:
        number: Value = cursor.number(NUMBERS[kind])
        return number
    if key in KEPT_TEXTS:
        return cursor.text(MAX_KEPT, f"{key}: a text")
    cursor.skip(cursor.number(LENGTH))
    return None


def _list(cursor: Cursor, key: str) -> Value | None:
    kind, count = kind_of(cursor, key), cursor.number(LENGTH)
    if kind is GGUFValueType.ARRAY:
        raise FormatError(f"{cursor.file}: {key}: a list of lists", hint=CONVERT)
    if kind is GGUFValueType.STRING:
        cursor.skip_texts(count)
        return None
    if key.endswith(KEPT_LISTS) and count <= MAX_LIST:
        return tuple(cursor.number(NUMBERS[kind]) for _ in range(count))
    cursor.skip(count * NUMBERS[kind].size)
    return None


def kind_of(cursor: Cursor, key: str) -> GGUFValueType:
    """The type of the value, or of the items, that come next. Raises FormatError."""
    number = cursor.number(TYPE)
    try:
        return GGUFValueType(number)
    except ValueError as error:
        raise FormatError(
            f"{cursor.file}: {key}: {number} is no type of a value", hint=CONVERT
        ) from error
