"""The names of the parts of a split GGUF file: `model-00001-of-00003.gguf` …"""

from __future__ import annotations

import re

SUFFIX = ".gguf"
# llama.cpp's own pattern; a loader finds the other parts by nothing but their names.
PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.DOTALL)
MAX_PARTS = 1_000  # the largest models come in some dozens


def first_part(name: str) -> str:
    """The first part of the file that a name belongs to; a file that is not split is its own."""
    found = _part(name)
    return f"{found['stem']}-{1:05}-of-{found['count']}{SUFFIX}" if found else name


def parts(name: str) -> tuple[str, ...]:
    """All parts of the file that a name belongs to, in order; a file that is not split is one."""
    found = _part(name)
    if not found:
        return (name,)
    count = int(found["count"])
    return tuple(f"{found['stem']}-{n:05}-of-{count:05}{SUFFIX}" for n in range(1, count + 1))


def _part(name: str) -> re.Match[str] | None:
    found = PART.fullmatch(name)
    if found and 1 <= int(found["number"]) <= int(found["count"]) <= MAX_PARTS:
        return found
    return None
