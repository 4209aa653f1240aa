"""Patterns of modules' names in quantisation settings: what they may match, and none is ever run.

An entry is a part of a name to some loaders, a shell's pattern or a regular expression to others.
It is reduced to characters, any one character and gaps, so that it matches whatever one of them
may take it to match, and some more; what cannot be reduced matches everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

MAX_LENGTH = 500
GAP, ANY, DOT = "\0", ".", "\1"
# What a regular expression may hold that is not reduced here.
_HARD = re.compile(r"[#\0\1]|\\[^.\-_dwsb]|\\$|[^\x00-\x7f]")
_STEPS = (
    (re.compile(r"\s"), ""),
    (re.compile(r"\\[dwsb]"), GAP),
    (re.compile(r"\\\."), DOT),
    (re.compile(r"\\"), ""),
    (re.compile(r"\[[^\[\]]*\]"), GAP),
)
_GROUP = re.compile(r"\([^()]*\)")
_REPEATED = re.compile(r"[^|]?(?:[*?]|\{[^{}]*\})")
_LEFT = re.compile(r"[\[\](){}]")


@dataclass(frozen=True)
class Pattern:
    """One entry, reduced: its alternatives, each of which may end in $."""

    alternatives: tuple[str, ...]

    @cached_property
    def loose(self) -> Pattern:
        """One that matches no less, and does not tell digits from each other."""
        gaps = (re.sub(r"[0-9.]", GAP, text) for text in self.alternatives)
        return Pattern(tuple(re.sub(GAP + "+", GAP, text) for text in gaps))

    @cached_property
    def _parts(self) -> tuple[tuple[bool, tuple[tuple[re.Pattern[str], int], ...]], ...]:
        return tuple(
            (text.endswith("$"), tuple(map(_part, text.replace("$", "").split(GAP))))
            for text in self.alternatives
        )

    def matches(self, name: str) -> bool:
        """Whether some loader may take a name, in lower case, for one that is meant."""
        return any(_found(parts, name, at_end) for at_end, parts in self._parts)


EVERYTHING = Pattern(("",))


def pattern(entry: str) -> Pattern:
    """An entry of a list of modules, as far as it can be told what it matches."""
    text = entry.lower()
    if len(text) > MAX_LENGTH or _HARD.search(text):
        return EVERYTHING
    for step, by in _STEPS:
        text = step.sub(by, text)
    while text != (text := _GROUP.sub(GAP, text)):
        pass
    text = _REPEATED.sub(GAP, text).replace("+", GAP).replace("^", "")
    if _LEFT.search(text):
        return EVERYTHING
    return Pattern(tuple(text.split("|")))


def any_of(patterns: Iterable[Pattern], names: Iterable[str]) -> bool:
    """Whether one of the patterns matches one of the names."""
    held = tuple(names)
    return any(one.matches(name) for one in patterns for name in held)


def _part(text: str) -> tuple[re.Pattern[str], int]:
    """What lies between gaps, in which only `.` is not itself, and its length."""
    plain = (ANY if c == ANY else re.escape("." if c == DOT else c) for c in text)
    return re.compile("".join(plain)), len(text)


def _found(parts: tuple[tuple[re.Pattern[str], int], ...], name: str, at_end: bool) -> bool:
    """Whether the parts follow each other in a name, the last one at its end if it has to."""
    place = 0
    for part, _ in parts[:-1] if at_end else parts:
        match = part.search(name, place)
        if not match:
            return False
        place = match.end()
    last, length = parts[-1]
    start = len(name) - length
    return not at_end or (start >= place and last.match(name, start) is not None)
