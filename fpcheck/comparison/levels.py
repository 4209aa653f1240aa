"""The levels that evidence can reach, weakest first."""

from __future__ import annotations

from enum import StrEnum

# Raw correlation from which a reference is resembled; unrelated decoders have 0.87 at their 95th
# percentile, so this asks for a look and proves nothing.
RESEMBLES = 0.85


class Level(StrEnum):
    """What the evidence for one reference amounts to. `level.rank` orders them."""

    NONE = "none"  # measured, no evidence: not a proof of independence
    RESEMBLES = "resembles"  # same shape of profile, nothing stronger
    PARTIAL = "partial"  # some layers share weights
    TRANSFORMED = "derived-transformed"  # shares weights, in another basis
    DERIVED = "derived"  # shares weights, in the same basis
    IDENTICAL = "identical"  # the same weights

    @property
    def rank(self) -> int:
        """0 for the weakest level, higher for stronger ones."""
        return _RANKS[self]


_RANKS = {level: rank for rank, level in enumerate(Level)}
