"""The one way out for untrusted text, a sink for each surface that a report appears on.

Model ids, tensor names, card fields, file names and error details are hostile. What they hold is
shown, never interpreted.
"""

from __future__ import annotations

import re

from fpcheck.text import inert, visible

MAX_LENGTH = 300  # longer text is cut: no honest id, file or tensor name comes near
_SAFE = re.compile(r"[A-Za-z0-9_./ -]")


class Markup(str):
    """Text that our own code made as markup and that a sink passes through."""


def literal(text: object, limit: int = MAX_LENGTH) -> Markup:
    """Untrusted text as Markdown that shows it as itself: no markup, no link, no mention.

    A code span, because nothing in one is ever linked; entities in <code> would be decoded, and
    then taken for addresses. Only two characters could end a span or a table's cell.
    """
    shown = visible(text, limit).replace("`", "\\u{60}").replace("|", "\\u{7c}")
    return Markup(f"`{shown}`" if shown.strip() else "(empty)")


def finalize(value: object) -> object:
    """What the Markdown templates do to every value: markup and numbers pass, text is literal."""
    return value if isinstance(value, Markup | int | float) else literal(value)


def prose(text: object) -> Markup:
    """Our own words with numbers in them as Markdown: a `<` is no tag's beginning."""
    return Markup(str(text).replace("&", "&amp;").replace("<", "&lt;"))


def xml(text: object) -> str:
    """Untrusted text as the text of an SVG element."""
    return "".join(c if _SAFE.match(c) else f"&#{ord(c)};" for c in visible(text, MAX_LENGTH))


def plain(text: object) -> str:
    """Untrusted text in a log: one line that no terminal and no CI runner takes for a command."""
    return inert(visible(text, MAX_LENGTH))
