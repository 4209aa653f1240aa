"""The known layout that unknown names are most like, for a message."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher
from functools import lru_cache

from fpcheck.layouts import LAYOUTS, Layout

LIKE = 0.7  # of at most 1: below it a layout's names are like any others
MAX_NAMES = 50  # of an unknown block: attention has fewer tensors, and more would take long


def nearest(names: Iterable[str]) -> str:
    """The layout whose leaves are most like some names, and what is missing for it."""
    given = sorted(set(names))[:MAX_NAMES]
    row = max(LAYOUTS, key=lambda row: _likeness(row, given))
    if _likeness(row, given) < LIKE:
        return "no layout has names like theirs"
    missing = ", ".join(sorted(row.required - set(given)))
    if not missing:
        return f"the names are those of layout {row.name!r}, which config or shapes do not confirm"
    return f"the nearest layout is {row.name!r}, for which it lacks {missing}"


def _likeness(row: Layout, names: list[str]) -> float:
    """How like the leaves of a row some names are, from 0 to 1."""
    best = (max((_alike(leaf, name) for name in names), default=0.0) for leaf in row.required)
    return sum(best) / len(row.required)


@lru_cache(maxsize=1 << 14)
def _alike(leaf: str, name: str) -> float:
    return SequenceMatcher(None, leaf, name).ratio()
