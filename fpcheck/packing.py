"""How the roles lie in a tensor: a short sequence of lengths, repeated.

Every packing, whether contiguous, per head, grouped or transposed, is `repeats` times a sequence
of (role, length), first along the output channels and then over the elements.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fpcheck.checkpoint.config import integer
from fpcheck.layouts import BIAS_OF, Layout, Packing, Role

Shape = tuple[int, ...]
HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads")
KV_HEADS = ("num_key_value_heads", "num_kv_heads", "n_head_kv")


@dataclass(frozen=True)
class Pattern:
    """`repeats` × the sequence of (role, length)."""

    repeats: int
    sequence: tuple[tuple[Role, int], ...]

    @property
    def period(self) -> int:
        """The length of one repeat."""
        return sum(length for _, length in self.sequence)

    @property
    def length(self) -> int:
        """The length of all repeats."""
        return self.repeats * self.period


def whole(role: Role, length: int) -> Pattern:
    """A tensor, or an axis of it, that serves one role."""
    return Pattern(1, ((role, length),))


def channels(row: Layout, fused: Shape, output: Shape, config: Mapping[str, Any]) -> Pattern | None:
    """How q, k and v lie along the output channels of a fused tensor; None when they cannot so.

    The width of q is that of the output projection's input; what is left is k and v, equally.
    """
    if len(fused) != 2 or len(output) != 2:
        return None
    total, width = (fused[1], output[0]) if row.transposed else (fused[0], output[1])
    rest = total - width
    if rest <= 0 or rest % 2 or rest // 2 > width:
        return None
    repeats = _repeats(row.packing, rest // 2 == width, config)
    if not repeats or width % repeats or (rest // 2) % repeats:
        return None
    kv = rest // 2 // repeats
    return Pattern(repeats, ((Role.Q, width // repeats), (Role.K, kv), (Role.V, kv)))


def _repeats(packing: Packing, equal: bool, config: Mapping[str, Any]) -> int | None:
    if packing is Packing.CONTIGUOUS:
        return 1
    if packing is Packing.PER_HEAD:
        return integer(config, *HEADS) if equal else None
    return integer(config, *KV_HEADS)


def over_matrix(pattern: Pattern, shape: Shape, *, transposed: bool) -> Pattern:
    """The pattern of output channels spread over a matrix's elements, row-major."""
    if transposed:
        return Pattern(shape[0], pattern.sequence * pattern.repeats)
    return Pattern(pattern.repeats, tuple((role, n * shape[1]) for role, n in pattern.sequence))


def over_bias(pattern: Pattern) -> Pattern:
    """The pattern of output channels over the bias that belongs to them."""
    return Pattern(pattern.repeats, tuple((BIAS_OF[role], n) for role, n in pattern.sequence))


@lru_cache(maxsize=256)
def spans(pattern: Pattern, shape: Shape) -> tuple[int, tuple[tuple[Role, int, int], ...]]:
    """The axis of a matrix along which roles alternate, and each role's `start:stop` on it.

    The inverse of `over_matrix`. Raises ValueError for a pattern that follows neither axis.
    """
    columns = shape[-1]
    by_rows = all(length % columns == 0 for _, length in pattern.sequence)
    if not by_rows and columns % pattern.period:
        raise ValueError("the roles alternate along neither rows nor columns")
    size, repeats = (columns, pattern.repeats) if by_rows else (1, columns // pattern.period)
    runs, place = [], 0
    for _ in range(repeats):
        for role, length in pattern.sequence:
            runs.append((role, place, place + length // size))
            place += length // size
    return (0 if by_rows else 1), tuple(runs)
