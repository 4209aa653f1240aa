"""YAML as a policy means it: nothing that two readers could read differently.

PyYAML turns the text into events; what they mean is decided here, by the core schema of YAML 1.2.
"""

from __future__ import annotations

import codecs
import re
from typing import Any, NoReturn

import yaml

from fpcheck.errors import UsageError
from fpcheck.policy.core_schema import Plain, join_surrogates, resolve
from fpcheck.policy.nodes import (
    MAX_BYTES,
    Block,
    Items,
    Node,
    Place,
    Scalar,
    quoted,
    refuse,
    shown,
)

MAX_DEPTH = 20
# Enough for every list at its full length; more would only cost time (0.05 ms each).
MAX_NODES = 20_000

# Beside what YAML refuses: line breaks of YAML 1.1 that are none in 1.2, and the characters that
# make a file show in another order than it reads (U+202A to U+202E, U+2066 to U+2069).
_REFUSED = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202f-\u2065\u206a-\ud7ff"
    "\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_LINE_BREAK = re.compile(r"\r\n?|\n")


def parse(content: bytes, name: str) -> Node:
    """The file as a tree. Raises UsageError with line and column for all that it must not hold."""
    if len(content) > MAX_BYTES:
        raise UsageError(
            f"{name}: larger than {MAX_BYTES // 1024} KiB", hint="a policy is a page of text"
        )
    return _Composer(_decode(content, name), name).document()


def _decode(content: bytes, name: str) -> str:
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8")
        refuse(name, _after(before), "not UTF-8", hint="save the file as UTF-8")
    if found := _REFUSED.search(text):
        problem = f"the character U+{ord(found[0]):04X} is not allowed"
        refuse(name, _after(text[: found.start()]), problem, hint="remove it")
    return text


def _after(before: str) -> Place:
    lines = _LINE_BREAK.split(before)
    return Place(len(lines), len(lines[-1]) + 1)


class _Composer:
    """Events into nodes as they come, so that nothing is read past the first refusal."""

    def __init__(self, text: str, name: str) -> None:
        self._loader = yaml.SafeLoader(text)
        self._name = name
        self._nodes = 0

    def document(self) -> Node:
        """The only document of the file; an empty file holds null."""
        self._next()
        start = self._next()
        if not isinstance(start, yaml.DocumentStartEvent):
            return Scalar(Place(1, 1), None, "")
        if start.version not in (None, (1, 2)) or start.tags:
            self._refuse(start, "directives are not read", "remove the lines that begin with %")
        node = self._node(self._next(), depth=0)
        self._next()
        after = self._next()
        if isinstance(after, yaml.DocumentStartEvent):
            self._refuse(after, "a second document begins here", "keep one policy in the file")
        return node

    def _next(self) -> Any:
        """The next event. PyYAML's own errors, and Python's through it, become ours."""
        try:
            event: Any = self._loader.get_event()  # type: ignore[no-untyped-call]  # in the stubs
        except yaml.MarkedYAMLError as error:
            begun = error.context_mark
            since = f", begun on line {begun.line + 1}" if begun else ""
            self._refuse_yaml(error.problem_mark, f"{error.problem} {error.context or ''}{since}")
        except (ValueError, OverflowError):  # from "\UFFFFFFFF" and %YAML 1.99…9
            self._refuse_yaml(None, "an escape or a number is too large")
        return event

    def _refuse_yaml(self, mark: Any, problem: str) -> NoReturn:
        place = _place(mark or self._loader.get_mark())
        hint = "check indentation and quotes here and on the line before"
        refuse(self._name, place, f"not YAML: {problem.strip()[:200]}", hint=hint)

    def _node(self, event: yaml.NodeEvent, depth: int) -> Node:
        self._refuse_extras(event, depth)
        place = _place(event.start_mark)
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(place, self._value(event), event.value)
        if isinstance(event, yaml.SequenceStartEvent):
            return Items(place, self._items(depth + 1))
        return Block(place, self._entries(depth + 1))

    def _refuse_extras(self, event: yaml.NodeEvent, depth: int) -> None:
        """What YAML has and a policy has not: sharing, types, endless depth, endless length."""
        self._nodes += 1
        if event.anchor is not None:  # an alias has one too
            self._refuse(event, "anchors and aliases are not read", "write the value out")
        if getattr(event, "tag", None) is not None:
            self._refuse(event, "tags are not read", "remove the word that begins with !")
        if isinstance(event, yaml.CollectionStartEvent) and depth == MAX_DEPTH:
            self._refuse(event, f"nested deeper than {MAX_DEPTH} levels", "a policy needs four")
        if self._nodes > MAX_NODES:
            self._refuse(event, f"more than {MAX_NODES:,} values", "shorten the file")

    def _items(self, depth: int) -> tuple[Node, ...]:
        values = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            values.append(self._node(event, depth))
        return tuple(values)

    def _entries(self, depth: int) -> dict[str, tuple[Place, Node]]:
        entries: dict[str, tuple[Place, Node]] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._key(event, depth)
            if key in entries:
                first = entries[key][0].line
                problem = f"the key {quoted(key)} stands twice, first on line {first}"
                self._refuse(event, problem, "keep one of the two")
            entries[key] = _place(event.start_mark), self._node(self._next(), depth)
        return entries

    def _key(self, event: yaml.NodeEvent, depth: int) -> str:
        if isinstance(event, yaml.ScalarEvent) and event.implicit[0] and event.value == "<<":
            self._refuse(event, "merge keys are not read", "write the keys out")
        node = self._node(event, depth)
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            self._refuse(event, f"a key must be text, got {shown(node)}", "put it in quotes")
        return node.value

    def _value(self, event: yaml.ScalarEvent) -> Plain:
        """Only what is written without quotes can be anything but text."""
        try:
            return resolve(event.value) if event.implicit[0] else join_surrogates(event.value)
        except ValueError as error:
            hint = "write it in full; text that reads as a number goes in quotes"
            self._refuse(event, f"{quoted(event.value)} {error}", hint)

    def _refuse(self, event: yaml.Event, problem: str, hint: str) -> NoReturn:
        refuse(self._name, _place(event.start_mark), problem, hint=hint)


def _place(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1)
