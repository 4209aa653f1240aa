"""Markdown cut to a platform's limit so that what is left still renders."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

NOTE = "*Cut here to fit the platform's limit; the report file is complete.*\n"
RESERVE = 1_000  # room for the note and for closing what the cut left open
MAX_CLOSED = 20  # deeper nesting than any template's; bounds what closing can add
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")


def utf8_size(text: str) -> int:
    """Bytes that the text takes in a file."""
    return len(text.encode("utf-8", "replace"))


def fit(markdown: str, limit: int, size: Callable[[str], int] = len) -> str:
    """The text, or its first lines and a note when it is larger than `limit`.

    Lone surrogates become question marks: no platform takes them, and most fail without a word.
    """
    text = markdown.encode("utf-8", "replace").decode("utf-8")
    if size(text) <= limit:
        return text
    kept = _first_lines(text, limit - RESERVE, size)
    return "".join(kept) + _closing(kept) + "\n" + NOTE


def _first_lines(text: str, limit: int, size: Callable[[str], int]) -> list[str]:
    kept: list[str] = []
    for line in re.findall(r"[^\n]*\n|[^\n]+", text):
        limit -= size(line)
        if limit < 0:
            break
        kept.append(line)
    return kept


def _closing(lines: Iterable[str]) -> str:
    """What ends the code fence and the <details> that the lines leave open."""
    fence, opened = "", 0
    for line in lines:
        found = FENCE.match(line)
        if found and (not fence or (found[1].startswith(fence) and not found[2].strip())):
            fence = "" if fence else found[1]
        elif not fence:
            opened += line.count("<details") - line.count("</details>")
    end = f"{fence}\n" if fence else ""
    return end + "\n" + "</details>\n" * max(0, min(opened, MAX_CLOSED))
