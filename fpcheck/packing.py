"""How the roles lie in a tensor: a short sequence of lengths, repeated.

Every packing, whether contiguous, per head, grouped or transposed, is `repeats` times a sequence
of (role, length), first along the output channels and then over the elements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from fpcheck.checkpoint.config import flag, integer, model_types
from fpcheck.layouts import BIAS_OF, GATE_FLAG, GATED_TYPES, Holds, Role

Shape = tuple[int, ...]
Config = Mapping[str, Any]
HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads")
KV_HEADS = ("num_key_value_heads", "num_kv_heads", "n_head_kv", "multi_query_group_num")
LINEAR_KEY_HEADS = "linear_num_key_heads"


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


class Sizes(NamedTuple):
    """What decides how a tensor of `channels` output channels is divided.

    `width` is what the output projection takes, `query` how many channels q must have (None where
    that follows from nothing), `latent` how many of its channels feed the low-rank k and v.
    """

    channels: int
    width: int | None = None
    query: int | None = None
    latent: int | None = None


Patterns = tuple[Pattern, ...]
Filling = Callable[[Sizes, Config], Pattern | None]


def whole(role: Role, length: int) -> Pattern:
    """A tensor, or an axis of it, that serves one role."""
    return Pattern(1, ((role, length),))


def channels(holds: Holds, sizes: Sizes, config: Config) -> Patterns:
    """How roles lie along the output channels, once for each role that an element has.

    () when the sizes, or the config's head counts, do not admit what the tensor should hold.
    """
    if holds in SHARED:
        return tuple(whole(role, sizes.channels) for role in SHARED[holds])
    if holds in PLAIN:
        return (whole(PLAIN[holds], sizes.channels),)
    pattern = FILLINGS[holds](sizes, config)
    fits = pattern is not None and all(length > 0 for _, length in pattern.sequence)
    return (pattern,) if pattern and fits and pattern.length == sizes.channels else ()


def _query(sizes: Sizes, config: Config) -> Pattern | None:
    """q alone, or q and the gate of each head, which is as wide as what o takes."""
    query = sizes.width if sizes.query is None else sizes.query
    if query is None or sizes.channels == query:
        return whole(Role.Q, sizes.channels)
    if sizes.width is None or sizes.channels != query + sizes.width:
        return None
    if not (model_types(config) & GATED_TYPES or flag(config, GATE_FLAG)):
        return whole(Role.Q_GATE, sizes.channels)
    return _each(integer(config, *HEADS), (Role.Q, query), (Role.GATE, sizes.width))


def _latent(sizes: Sizes, config: Config) -> Pattern | None:
    if sizes.latent is None or sizes.latent >= sizes.channels:
        return whole(Role.KV_LATENT, sizes.channels) if sizes.latent == sizes.channels else None
    return _each(1, (Role.KV_LATENT, sizes.latent), (Role.K, sizes.channels - sizes.latent))


def _k_v_per_head(sizes: Sizes, config: Config) -> Pattern | None:
    width = sizes.width or 0
    heads = integer(config, *HEADS)
    return _each(heads, (Role.K, sizes.channels - width), (Role.V, width))


def _k_v_per_group(sizes: Sizes, config: Config) -> Pattern | None:
    return _halves(sizes.channels, integer(config, *KV_HEADS) or integer(config, *HEADS))


def _halves(total: int, repeats: int | None) -> Pattern | None:
    return None if total % 2 else _each(repeats, (Role.K, total // 2), (Role.V, total // 2))


def _q_k_v(sizes: Sizes, config: Config) -> Pattern | None:
    return _qkv(sizes, 1)


def _qkv_per_head(sizes: Sizes, config: Config) -> Pattern | None:
    equal = sizes.width is not None and sizes.channels == 3 * sizes.width
    return _qkv(sizes, integer(config, *HEADS)) if equal else None


def _qkv_per_group(sizes: Sizes, config: Config) -> Pattern | None:
    return _qkv(sizes, integer(config, *KV_HEADS) or integer(config, *HEADS))


def _qkv(sizes: Sizes, repeats: int | None) -> Pattern | None:
    """The width of q is that of the output projection's input; what is left is k and v, equally."""
    width = sizes.width or 0
    rest = sizes.channels - width
    if rest % 2 or rest // 2 > width:
        return None
    return _each(repeats, (Role.Q, width), (Role.K, rest // 2), (Role.V, rest // 2))


def _qvk_in_four(sizes: Sizes, config: Config) -> Pattern | None:
    third = sizes.channels // 3
    return _each(4, (Role.Q, third), (Role.V, third), (Role.K, third))


def _gate_q_k_v(sizes: Sizes, config: Config) -> Pattern | None:
    width = sizes.width or 0
    rest = _qkv(sizes._replace(channels=sizes.channels - width), 1)
    return None if rest is None else Pattern(1, ((Role.GATE, width), *rest.sequence))


def _qk_v(sizes: Sizes, config: Config) -> Pattern | None:
    width = sizes.width or 0
    rest = sizes.channels - width
    return None if rest % 2 else _each(1, *_thirds(rest // 2, width))


def _qkvz_per_group(sizes: Sizes, config: Config) -> Pattern | None:
    width = sizes.width or 0
    rest = sizes.channels - 2 * width
    if rest % 2:
        return None
    thirds = _thirds(rest // 2, width)
    return _each(integer(config, LINEAR_KEY_HEADS), *thirds, (Role.GATE, width))


def _thirds(key: int, value: int) -> tuple[tuple[Role, int], ...]:
    return (Role.Q, key), (Role.K, key), (Role.V, value)


def _each(repeats: int | None, *totals: tuple[Role, int]) -> Pattern | None:
    """The totals of each role, divided among repeats; None where they do not divide."""
    if not repeats or any(total % repeats for _, total in totals):
        return None
    return Pattern(repeats, tuple((role, total // repeats) for role, total in totals))


PLAIN: Mapping[Holds, Role] = {
    Holds.K: Role.K,
    Holds.V: Role.V,
    Holds.O: Role.O,
    Holds.O_GROUPED: Role.O,
    Holds.GATE: Role.GATE,
    Holds.Q_LATENT: Role.Q_LATENT,
    Holds.O_LATENT: Role.O_LATENT,
}
SHARED: Mapping[Holds, tuple[Role, ...]] = {
    Holds.K_IS_V: (Role.K, Role.V),
    Holds.Q_IS_K: (Role.Q, Role.K),
}
FILLINGS: Mapping[Holds, Filling] = {
    Holds.Q: _query,
    Holds.KV_LATENT: _latent,
    Holds.K_V_PER_HEAD: _k_v_per_head,
    Holds.K_V_PER_GROUP: _k_v_per_group,
    Holds.K_V: lambda sizes, config: _halves(sizes.channels, 1),
    Holds.Q_K_V: _q_k_v,
    Holds.QKV_PER_HEAD: _qkv_per_head,
    Holds.QKV_PER_GROUP: _qkv_per_group,
    Holds.QVK_IN_FOUR: _qvk_in_four,
    Holds.GATE_Q_K_V: _gate_q_k_v,
    Holds.QK_V: _qk_v,
    Holds.QKVZ_PER_GROUP: _qkvz_per_group,
}
# What a fused tensor is measured as where nothing settles its order.
POOLED: Mapping[Holds, Role] = {
    **dict.fromkeys(
        (Holds.Q_K_V, Holds.QKV_PER_HEAD, Holds.QKV_PER_GROUP, Holds.QVK_IN_FOUR, Holds.QK_V),
        Role.QKV,
    ),
    Holds.K_V_PER_GROUP: Role.KV,
    Holds.K_V: Role.KV,
}


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
