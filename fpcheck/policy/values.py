"""A file's tree as plain data: known keys, values in their range, defaults where it is silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, NoReturn

from fpcheck.policy.fields import ROOT, absent, children
from fpcheck.policy.kinds import ITEMS, MAX_ITEMS, Field, Kind, expected, fits
from fpcheck.policy.nodes import MAX_SHOWN, Block, Items, Node, Place, Scalar, quoted, refuse, shown


def values(tree: Node, name: str) -> dict[str, Any]:
    """The whole file. Raises UsageError for the first thing that the table of fields refuses."""
    result = _Reader(name).block(ROOT, tree)
    if isinstance(tree, Block) and not _rules(result):  # it would pass anything
        place = tree.entries["thresholds"][0]
        hint = "leave one rule on, under warn if nothing is to fail"
        refuse(name, place, "thresholds: the policy has no rules", hint=hint)
    return result


def _rules(result: Mapping[str, Any]) -> list[Any]:
    return [rule for block in result["thresholds"].values() for rule in block.values() if rule]


class _Reader:
    """Nodes against their fields; `name` is the file's, for errors."""

    def __init__(self, name: str) -> None:
        self._name = name

    def block(self, field: Field, node: Node) -> dict[str, Any]:
        """The keys of a block, in the table's order: a version too new is refused for that."""
        if not isinstance(node, Block) or not (node.entries or field is ROOT):
            self._refuse_value(field, node)
        known = {child.key: child for child in children(field)}
        given = {
            key: self._value(child, node.entries[key][1])
            for key, child in known.items()
            if key in node.entries
        }
        self._refuse_unknown(field, node, known)
        return {k: given[k] if k in given else self._absent(c, node) for k, c in known.items()}

    def _value(self, field: Field, node: Node) -> Any:
        if field.null and isinstance(node, Scalar) and node.value is None:
            return None
        if field.kind is Kind.BLOCK:
            return self.block(field, node)
        if field.kind in ITEMS:
            return self._items(field, node)
        if not isinstance(node, Scalar) or not fits(field, node.value):
            self._refuse_value(field, node)
        return node.value

    def _items(self, field: Field, node: Node) -> tuple[Any, ...]:
        if not isinstance(node, Items):
            self._refuse_value(field, node)
        if len(node.values) > MAX_ITEMS:
            place = node.values[MAX_ITEMS].place
            self._refuse(field, place, f"more than {MAX_ITEMS:,} entries", "shorten the list")
        lines: dict[Any, int] = {}
        for number, item in enumerate(node.values):
            entry = replace(field, path=f"{field.path}[{number}]", kind=ITEMS[field.kind])
            value = self._value(entry, item)
            if value in lines:
                problem = f"{quoted(value)} stands twice, first on line {lines[value]}"
                self._refuse(entry, item.place, problem, "keep one of the two")
            lines[value] = item.place.line
        return tuple(lines)

    def _absent(self, field: Field, block: Block) -> Any:
        if field.required:
            self._refuse(field, block.place, "missing", field.way_out)
        return absent(field)

    def _refuse_unknown(self, field: Field, node: Block, known: Mapping[str, Field]) -> None:
        key = next((key for key in node.entries if key not in known), None)
        if key is None:
            return
        close = get_close_matches(key[:MAX_SHOWN], known, n=1)
        guess = f"; did you mean {close[0]!r}?" if close else ""
        hint = f"the keys here are {', '.join(known)}"
        self._refuse(field, node.entries[key][0], f"unknown key {quoted(key)}{guess}", hint)

    def _refuse_value(self, field: Field, node: Node) -> NoReturn:
        problem = f"expected {expected(field)}, got {shown(node)}"
        self._refuse(field, node.place, problem, field.way_out)

    def _refuse(self, field: Field, place: Place, problem: str, hint: str) -> NoReturn:
        where = f"{field.path}: " if field.path else ""
        refuse(self._name, place, f"{where}{problem}", hint=hint)
