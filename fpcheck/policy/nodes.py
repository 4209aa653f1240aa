"""A policy file as a tree of values that know where they stand, and how an error says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from fpcheck.errors import UsageError
from fpcheck.policy.core_schema import Plain

MAX_BYTES = 256 * 1024  # a policy is a page of text
MAX_SHOWN = 80  # characters of the file in one message: enough to find them again


@dataclass(frozen=True)
class Place:
    """A line and a column of the file, both from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Scalar:
    """A single value, and how it was written."""

    place: Place
    value: Plain
    written: str


@dataclass(frozen=True)
class Items:
    """A list."""

    place: Place
    values: tuple[Node, ...]


@dataclass(frozen=True)
class Block:
    """A mapping: every key with its own place and its value."""

    place: Place
    entries: Mapping[str, tuple[Place, Node]]


Node = Scalar | Items | Block


def refuse(name: str, place: Place, problem: str, *, hint: str = "") -> NoReturn:
    """Raise the UsageError that leads an editor to the place."""
    raise UsageError(f"{name}:{place.line}:{place.column}: {problem}", hint=hint)


def shown(node: Node) -> str:
    """What stands there, for a message."""
    match node:
        case Scalar(value=str() as text):
            return quoted(text)
        case Scalar(value=None):
            return "null"
        case Scalar():
            return node.written
        case Items():
            return "a list"
        case Block():
            return "a mapping" if node.entries else "an empty mapping"


def quoted(text: str) -> str:
    """Untrusted text in quotes, on one line, nothing in it invisible, cut where it is long."""
    result = repr(text[:MAX_SHOWN])
    return result if len(result) <= MAX_SHOWN else f"{result[: MAX_SHOWN - 1]}…"
