"""Untrusted text on one line: shown as it is, never obeyed by a terminal or a CI runner."""

from __future__ import annotations

import re

MAX_LINE = 4_096  # characters; an honest error is shorter, a hostile tensor's name need not be
# GitHub's runner obeys `::command::` at a line's start and `##[command]` anywhere in one. A colon
# is parted from the next wherever it stands: what is a line's middle here may be a start elsewhere.
_COMMAND = re.compile(r":(?=:)|#(?=#\[)")


def visible(text: object, limit: int | None = None) -> str:
    """One line of printable text: control, bidi and other invisible characters shown by number.

    Text that is longer than `limit` is cut, and says so.
    """
    whole = str(text)
    shown = whole if limit is None or len(whole) <= limit else whole[:limit] + "…"
    if shown.isprintable():
        return shown
    return "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in shown)


def inert(line: str) -> str:
    """The line, with nothing in it that a runner takes for a command."""
    return _COMMAND.sub(r"\g<0> ", line)


def log_line(text: object) -> str:
    """One line for a log, whatever the text: an error, a note, a path."""
    return inert(visible(text, MAX_LINE))
