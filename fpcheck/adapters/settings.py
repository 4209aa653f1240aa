"""What adapter_config.json says about how an adapter is merged; refused where that is not known.

The keys are those of PEFT 0.21's LoraConfig. Regular expressions in it are hostile text and are
never run: names in lists and patterns of plain names are all that is followed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fpcheck.adapters.kinds import MERGE, refuse_other_kinds, shown, unfollowed
from fpcheck.checkpoint.adapter_config import ADAPTER_CONFIG
from fpcheck.errors import CheckError, FormatError

PLAIN = re.compile(r"\^?[\w.-]{1,512}")  # a pattern that means nothing but a name
MAX_PATTERNS = 1_000


@dataclass(frozen=True)
class Settings:
    """How each module's factors are scaled, and which modules are adapted."""

    rank: int
    alpha: float
    ranks: tuple[tuple[re.Pattern[str], float], ...]
    alphas: tuple[tuple[re.Pattern[str], float], ...]
    rank_stabilised: bool
    dora: bool
    transposed: bool
    bias: str
    targets: tuple[str, ...] | None  # None: a pattern, or all
    layers: frozenset[int] | None
    layer_stacks: tuple[str, ...]
    saved: tuple[str, ...]
    unfollowed: tuple[str, ...]

    def rank_of(self, module: str) -> int:
        """The rank that a module's factors must have."""
        return int(_of(self.ranks, module, self.rank))

    def scale_of(self, module: str) -> float:
        """What the product of a module's factors is multiplied by."""
        rank = self.rank_of(module)
        divisor = math.sqrt(rank) if self.rank_stabilised else rank
        return _of(self.alphas, module, self.alpha) / divisor

    def adapts(self, module: str) -> bool:
        """Whether PEFT would put these factors on that module; those it would not, it ignores."""
        if self.targets is None:
            return True
        if not any(module == own or module.endswith("." + own) for own in self.targets):
            return False
        return self.layers is None or _layer(module, self.layer_stacks) in self.layers

    def replaces(self, module: str) -> bool:
        """Whether a whole module is saved with the adapter."""
        return any(own in module.split(".") or module.endswith("." + own) for own in self.saved)


def read_settings(config: Mapping[str, Any]) -> Settings:
    """The settings in a parsed adapter_config.json.

    Raises CheckError for an adapter that fpcheck cannot merge, FormatError for one that is wrong.
    """
    refuse_other_kinds(config)
    layers = config.get("layers_to_transform")
    return Settings(
        rank=_rank(config.get("r", 8), "r"),
        alpha=_number(config.get("lora_alpha", 8), "lora_alpha"),
        ranks=_patterns(config, "rank_pattern", _rank),
        alphas=_patterns(config, "alpha_pattern", _number),
        rank_stabilised=_flag(config, "use_rslora"),
        dora=_flag(config, "use_dora"),
        transposed=_flag(config, "fan_in_fan_out"),
        bias=_bias(config),
        targets=_targets(config),
        layers=frozenset(_integers(layers)) if layers or layers == 0 else None,
        layer_stacks=_names(config, "layers_pattern"),
        saved=_names(config, "modules_to_save"),
        unfollowed=unfollowed(config),
    )


def _targets(config: Mapping[str, Any]) -> tuple[str, ...] | None:
    value = config.get("target_modules")
    return None if value is None or isinstance(value, str) else _names(config, "target_modules")


def _bias(config: Mapping[str, Any]) -> str:
    value = config.get("bias", "none")
    if value not in ("none", "all", "lora_only"):
        raise _wrong("bias", value, "none, all or lora_only")
    return str(value)


def _names(config: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = config.get(key)
    names = [value] if isinstance(value, str) and value else value or []
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise _wrong(key, value, "names")
    if key == "layers_pattern" and not all(name.isidentifier() for name in names):
        raise _wrong(key, value, "plain names; regular expressions are not run")
    return tuple(names)


def _patterns(
    config: Mapping[str, Any], key: str, read: Any
) -> tuple[tuple[re.Pattern[str], float], ...]:
    """Values by patterns of module names, which PEFT matches from the end, in order."""
    value = config.get(key) or {}
    if not isinstance(value, dict) or len(value) > MAX_PATTERNS:
        raise _wrong(key, value, f"values by names, at most {MAX_PATTERNS:,}")
    for name in value:
        if not PLAIN.fullmatch(name):
            raise CheckError(
                f"{ADAPTER_CONFIG}: {key}: {shown(name)} is a regular expression, which fpcheck "
                "does not run",
                hint=MERGE,
            )
    return tuple(
        (re.compile(rf"(.*\.)?({name})$"), read(own, f"{key}[{shown(name)}]"))
        for name, own in value.items()
    )


def _of(values: tuple[tuple[re.Pattern[str], float], ...], module: str, default: float) -> float:
    return next((value for pattern, value in values if pattern.match(module)), default)


def _layer(module: str, stacks: tuple[str, ...]) -> int | None:
    """The layer that PEFT takes a module to be of."""
    parts = module.split(".")
    for place in range(1, len(parts) - 1):
        stack = parts[place - 1]
        if parts[place].isdecimal() and (stack in stacks if stacks else place > 1):
            return int(parts[place])
    return None


def _rank(value: Any, what: str) -> int:
    if type(value) is not int or value < 1:
        raise _wrong(what, value, "a positive integer")
    return int(value)


def _number(value: Any, what: str) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise _wrong(what, value, "a number")
    return float(value)


def _integers(value: Any) -> list[int]:
    found = value if isinstance(value, list) else [value]
    if not all(type(item) is int for item in found):
        raise _wrong("layers_to_transform", value, "layer numbers")
    return found


def _flag(config: Mapping[str, Any], key: str) -> bool:
    value = config.get(key) or False
    if not isinstance(value, bool):
        raise _wrong(key, value, "true or false")
    return value


def _wrong(key: str, value: Any, expected: str) -> FormatError:
    return FormatError(
        f"{ADAPTER_CONFIG}: {key}: expected {expected}, got {shown(value)}",
        hint="save the adapter again with PEFT",
    )
