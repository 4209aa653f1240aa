"""How the roles lie along the output channels of a tensor, by what it holds and by its sizes.

Nothing is divided without a witness: sizes must agree with each other, or with the head counts of
the config, so that a misshapen tensor is found out rather than split elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from fpcheck.checkpoint.config import flag, integer
from fpcheck.heads import (
    HEADS,
    KV_HEADS,
    LINEAR_KEY_HEADS,
    Config,
    are_heads,
    head_counts,
    is_value_width,
    stated_everywhere,
)
from fpcheck.layouts import GATE_FLAG, Holds, Role
from fpcheck.packing import Pattern, whole


class Sizes(NamedTuple):
    """What decides how a tensor of `channels` output channels is divided.

    `width` is what the output projection takes, `query` how many channels q must have (None where
    that follows from nothing), `latent` how many of its channels feed the low-rank k and v. With
    `gated`, the architecture has a gate in every q.
    """

    channels: int
    width: int | None = None
    query: int | None = None
    latent: int | None = None
    gated: bool = False


Patterns = tuple[Pattern, ...]
Filling = Callable[[Sizes, Config], Pattern | None]


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
    if query is None or (sizes.channels == query and not sizes.gated):
        return whole(Role.Q, sizes.channels)
    if sizes.width is None or sizes.channels != query + sizes.width:
        return None
    if not (sizes.gated or flag(config, GATE_FLAG)):
        return whole(Role.Q_GATE, sizes.channels)
    return _each(integer(config, *HEADS), (Role.Q, query), (Role.GATE, sizes.width))


def _latent(sizes: Sizes, config: Config) -> Pattern | None:
    if sizes.latent is None or sizes.latent >= sizes.channels:
        return whole(Role.KV_LATENT, sizes.channels) if sizes.latent == sizes.channels else None
    return _each(1, (Role.KV_LATENT, sizes.latent), (Role.K, sizes.channels - sizes.latent))


def _k_v_per_head(sizes: Sizes, config: Config) -> Pattern | None:
    width = sizes.width or 0
    heads = integer(config, *HEADS)
    stated = stated_everywhere(config, "v_head_dim")
    if (stated or sizes.gated) and width not in {(heads or 0) * size for size in stated}:
        return None  # nothing else would tell a misshapen output projection from a wider v
    return _each(heads, (Role.K, sizes.channels - width), (Role.V, width))


def _k_v_per_group(sizes: Sizes, config: Config) -> Pattern | None:
    return _halves(sizes.channels, integer(config, *KV_HEADS) or integer(config, *HEADS))


def _halves(total: int, repeats: int | None) -> Pattern | None:
    return None if total % 2 else _each(repeats, (Role.K, total // 2), (Role.V, total // 2))


def _q_one_k_v(sizes: Sizes, config: Config) -> Pattern | None:
    return _of_groups(sizes, [(integer(config, *HEADS) or 0, 1)])


def _of_groups(sizes: Sizes, counts: Iterable[tuple[int, int]]) -> Pattern | None:
    """All of q, k and v, whose heads must be those of one of the counts."""
    width = sizes.width or 0
    rest = sizes.channels - width
    known = any(width * groups == rest // 2 * heads for heads, groups in counts if heads)
    if not known or rest % 2:
        return None
    return _each(1, (Role.Q, width), (Role.K, rest // 2), (Role.V, rest // 2))


def _qkv_per_head(sizes: Sizes, config: Config) -> Pattern | None:
    equal = sizes.width is not None and sizes.channels == 3 * sizes.width
    return _qkv(sizes, integer(config, *HEADS), config) if equal else None


def _qkv_per_group(sizes: Sizes, config: Config) -> Pattern | None:
    heads = integer(config, *HEADS) or 0
    groups = integer(config, *KV_HEADS) or heads
    found = _of_groups(sizes, [(heads, groups)])
    return None if found is None else _each(groups, *found.sequence)


def _qkv(sizes: Sizes, repeats: int | None, config: Config) -> Pattern | None:
    """The width of q is that of the output projection's input; what is left is k and v, equally."""
    width = sizes.width or 0
    rest = sizes.channels - width
    if rest % 2 or not are_heads(width, rest // 2, config):
        return None
    return _each(repeats, (Role.Q, width), (Role.K, rest // 2), (Role.V, rest // 2))


def _qvk_in_four(sizes: Sizes, config: Config) -> Pattern | None:
    third = sizes.channels // 3
    return _each(4, (Role.Q, third), (Role.V, third), (Role.K, third))


def _gate_q_k_v(sizes: Sizes, config: Config) -> Pattern | None:
    width = sizes.width or 0
    rest = _qkv(sizes._replace(channels=sizes.channels - width), 1, config)
    return None if rest is None else Pattern(1, ((Role.GATE, width), *rest.sequence))


def _qk_v(sizes: Sizes, config: Config) -> Pattern | None:
    width = sizes.width or 0
    rest = sizes.channels - width
    known = is_value_width(width, config)
    return _each(1, *_thirds(rest // 2, width)) if known and not rest % 2 else None


def _qkvz_per_group(sizes: Sizes, config: Config) -> Pattern | None:
    width = sizes.width or 0
    rest = sizes.channels - 2 * width
    if rest % 2 or not is_value_width(width, config):
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
    Holds.Q_K_V: lambda sizes, config: _qkv(sizes, 1, config),
    Holds.Q_ONE_K_V: _q_one_k_v,
    Holds.Q_GROUPS_K_V: lambda sizes, config: _of_groups(sizes, head_counts(config)),
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
        (
            *(Holds.Q_K_V, Holds.Q_ONE_K_V, Holds.Q_GROUPS_K_V, Holds.QK_V),
            *(Holds.QKV_PER_HEAD, Holds.QKV_PER_GROUP, Holds.QVK_IN_FOUR),
        ),
        Role.QKV,
    ),
    Holds.K_V_PER_GROUP: Role.KV,
    Holds.K_V: Role.KV,
}


POOLED_ROLES = frozenset({*POOLED.values(), Role.Q_GATE})
