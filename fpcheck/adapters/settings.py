"""What adapter_config.json says about how an adapter is merged; refused where that is not known.

The keys are those of PEFT 0.21's LoraConfig. Regular expressions in it are hostile text and are
never run: patterns of plain names are all that is followed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fpcheck.adapters.kinds import refuse_unknown_merges, unfollowed
from fpcheck.adapters.targets import Modules, modules, names, wrong
from fpcheck.checkpoint.adapter_config import (
    ADAPTER_CONFIG,
    MERGE,
    refuse_other_kinds,
    shown,
)
from fpcheck.errors import CheckError

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
    modules: Modules
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
        return self.modules.adapts(module)

    def replaces(self, module: str) -> bool:
        """Whether a whole module is saved with the adapter."""
        return any(own in module.split(".") or module.endswith("." + own) for own in self.saved)


def read_settings(config: Mapping[str, Any]) -> Settings:
    """The settings in a parsed adapter_config.json.

    Raises CheckError for an adapter that fpcheck cannot merge, FormatError for one that is wrong.
    """
    refuse_other_kinds(config)
    refuse_unknown_merges(config)
    return Settings(
        rank=_rank(config.get("r", 8), "r"),
        alpha=_number(config.get("lora_alpha", 8), "lora_alpha"),
        ranks=_patterns(config, "rank_pattern", _rank),
        alphas=_patterns(config, "alpha_pattern", _number),
        rank_stabilised=_flag(config, "use_rslora"),
        dora=_flag(config, "use_dora"),
        transposed=_flag(config, "fan_in_fan_out"),
        bias=_bias(config),
        modules=modules(config),
        saved=names(config, "modules_to_save"),
        unfollowed=unfollowed(config),
    )


def _bias(config: Mapping[str, Any]) -> str:
    value = config.get("bias", "none")
    if value not in ("none", "all", "lora_only"):
        raise wrong("bias", value, "none, all or lora_only")
    return str(value)


def _patterns(
    config: Mapping[str, Any], key: str, read: Any
) -> tuple[tuple[re.Pattern[str], float], ...]:
    """Values by patterns of module names, which PEFT matches from the end, in order."""
    value = config.get(key) or {}
    if not isinstance(value, dict) or len(value) > MAX_PATTERNS:
        raise wrong(key, value, f"values by names, at most {MAX_PATTERNS:,}")
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


def _rank(value: Any, what: str) -> int:
    if type(value) is not int or value < 1:
        raise wrong(what, value, "a positive integer")
    return int(value)


def _number(value: Any, what: str) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise wrong(what, value, "a number")
    return float(value)


def _flag(config: Mapping[str, Any], key: str) -> bool:
    value = config.get(key) or False
    if not isinstance(value, bool):
        raise wrong(key, value, "true or false")
    return value
