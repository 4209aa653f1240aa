"""A recorded header as JSON that a person can check: a line a tensor, in the order it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def render(header: Mapping[str, Any]) -> str:
    """The header as JSON text; no CI runner takes any of it for a command, as of `canonical`."""
    return _layout(header, "").replace("##[", "#\\u0023[") + "\n"


def _layout(value: Any, indent: str) -> str:
    if not isinstance(value, dict) or not value:
        return json.dumps(value)
    deeper = indent + " "
    items = (f"{deeper}{json.dumps(k)}: {_layout(v, deeper)}" for k, v in value.items())
    return "{\n" + ",\n".join(items) + f"\n{indent}}}"
