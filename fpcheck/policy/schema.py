"""The JSON Schema of a policy, from the table of fields; `tools/write_schema.py` publishes it.

Editors complete and check a policy with it. It refuses nothing that the loader takes; the loader
alone sees how a value was written (`1.0` for 1), duplicate keys, and what YAML adds to JSON.
"""

from __future__ import annotations

import json
from typing import Any

from fpcheck.policy.fields import ROOT, absent, children
from fpcheck.policy.kinds import INVISIBLE, ITEMS, MAX_ITEMS, MAX_TEXT, PATTERNS, Field, Kind, Null

SCHEMA_FILE = "schemas/policy.schema.json"  # from the repository's root
SCHEMA_ID = "urn:fpcheck:policy:1"


def schema() -> dict[str, Any]:
    """The whole schema."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "fpcheck policy",
        "description": ROOT.meaning,
        **_block(ROOT),
        "not": _off(ROOT),
    }


def schema_text() -> str:
    """The schema as its file holds it."""
    return json.dumps(schema(), indent=2) + "\n"


def _field(field: Field) -> dict[str, Any]:
    """One key, with all that the table says of it."""
    words = [field.meaning, field.tighter, field.null]
    result = {"title": field.key, "description": " ".join(filter(None, words)), **_type(field)}
    if not field.required and (field.null or field.kind is not Kind.BLOCK):
        result["default"] = field.default
    return result


def _type(field: Field) -> dict[str, Any]:
    if field.kind is Kind.BLOCK:
        return {**_block(field), "minProperties": 1}
    if field.kind is Kind.CHOICE:
        return {"enum": [*field.choices, None] if field.null else list(field.choices)}
    if field.kind in ITEMS:
        items = _text("string", ITEMS[field.kind])
        return {"type": "array", "items": items, "maxItems": MAX_ITEMS, "uniqueItems": True}
    if field.kind in PATTERNS:
        return _text(_or_null("string", field), field.kind)
    return _number(field)


def _block(field: Field) -> dict[str, Any]:
    keys = children(field)
    return {
        "type": _or_null("object", field),
        "properties": {child.key: _field(child) for child in keys},
        "required": [child.key for child in keys if child.required],
        "additionalProperties": False,
    }


def _number(field: Field) -> dict[str, Any]:
    kind = "integer" if field.kind is Kind.INTEGER else "number"
    bounds = {
        "minimum": field.minimum,
        "exclusiveMinimum": field.above,
        "maximum": field.maximum,
    }
    return {
        "type": _or_null(kind, field),
        **{word: bound for word, bound in bounds.items() if bound is not None},
    }


def _text(kind: str | list[str], holds: Kind) -> dict[str, Any]:
    return {
        "type": kind,
        "maxLength": MAX_TEXT,
        "pattern": PATTERNS[holds],
        "not": {"type": "string", "pattern": INVISIBLE},  # a pattern alone holds for null too
    }


def _or_null(kind: str, field: Field) -> str | list[str]:
    return [kind, "null"] if field.null else kind


def _off(field: Field) -> dict[str, Any]:
    """Holds for a file that switches every rule off: each one that is on by default is there."""
    if field.null is Null.OFF:
        return {"const": None}
    inner = [
        child for child in children(field) if child.kind is Kind.BLOCK or child.null is Null.OFF
    ]
    return {
        "properties": {child.key: _off(child) for child in inner},
        "required": [child.key for child in inner if absent(child) is not None],
    }
