"""What lies beside a tensor: the scales, in the widest sense, of its module."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from types import MappingProxyType

# Scales of what flows through a module rather than of its weight.
OF_ACTIVATIONS = frozenset(
    {
        *("input_scale", "input_scale_ub", "input_global_scale", "input_zero_point"),
        *("output_scale", "act_scale", "activation_scale", "qscale_act", "scale_input"),
        *("q_scale", "k_scale", "v_scale", "kv_scale", "prob_scale"),
    }
)
NAMED = 8  # scales of one module that are named; no format has more
_SCALE_LIKE = ("scale", "zero_point")


def split(name: str) -> tuple[str, str]:
    """A tensor's name as its module's prefix, with the dot if there is one, and the rest."""
    module, dot, leaf = name.rpartition(".")
    return module + dot, leaf


def is_scale(leaf: str) -> bool:
    """Whether a tensor is, by its name, no weight but what belongs to one."""
    return any(word in leaf for word in _SCALE_LIKE)


def weight_scales(names: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Which scales each module has for its weights: sorted leaves by the module's prefix."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        module, leaf = split(name)
        if is_scale(leaf) and leaf not in OF_ACTIVATIONS:
            found[module].append(leaf)
    return MappingProxyType({module: tuple(sorted(leaves)) for module, leaves in found.items()})
