"""A tree of the file as plain data: every key known, every value in its range, defaults filled in."""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, NoReturn

from fpcheck.policy import fields
from fpcheck.policy.fields import ITEMS, ROOT, Field, Kind
from fpcheck.policy.nodes import MAX_SHOWN, Block, Items, Node, Place, Scalar, quoted, refuse, shown


def values(node: Node, name: str) -> dict[str, Any]:
    """The whole file. Raises UsageError at the first thing that the table of fields refuses."""
    return _Reader(name).block(ROOT, node)


class _Reader:
    """Nodes against fields; `name` is the file's, for errors."""

    def __init__(self, name: str) -> None:
        self._name = name

    def block(self, field: Field, node: Node) -> dict[str, Any]:
        """In the table's order, so that a version too new is what a file of it is refused for."""
        if not isinstance(node, Block) or not (node.entries or field is ROOT):
            self._unfit(field, node)
        known = {child.key: child for child in fields.children(field)}
        result = {k: self._child(child, node) for k, child in known.items() if k in node.entries}
        for key, (place, _) in node.entries.items():
            if key not in known:
                self._unknown(field, key, place, known)
        for key ...
        return result
