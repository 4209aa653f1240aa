"""A check as text, for people and for machines: one row of FORMATS a form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from fpcheck.check import Check
from fpcheck.report import document, markdown, terminal

FORMATS: Mapping[str, Callable[[Check], str]] = MappingProxyType(
    {"terminal": terminal.render, "markdown": markdown.render, "json": document.render}
)
