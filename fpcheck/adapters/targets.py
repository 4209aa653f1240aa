"""Which modules PEFT adapts, as adapter_config.json has them: exactly those, or it is refused.

Factors of any other module are ignored by PEFT, and would be a way to have another model measured
than the one that is loaded. Patterns are hostile text and never run: those that are made of plain
names are followed as comparisons of texts, which is what they mean.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fpcheck.checkpoint.adapter_config import ADAPTER_CONFIG, MERGE, shown
from fpcheck.errors import CheckError, FormatError

ALL = "all-linear"  # in any case
MAX_PATTERN = 2_000  # characters
MAX_SAVED = 100  # modules; PEFT matches each as a pattern, whose dots stand for any character
# Names, each with its own `.*` and dot before it, or in one group with these before it.
_NAME = r"(?:[A-Za-z0-9_-]|\\\.)+"
_NAMES = rf"{_NAME}(?:\|{_NAME})*"
_GROUP = re.compile(rf"(?P<before>(?:\.\*)?(?:\\\.)?)\((?:\?:)?(?P<names>{_NAMES})\)")
_ALTERNATIVES = re.compile(rf"(?:\.\*)?{_NAME}(?:\|(?:\.\*)?{_NAME})*")
_PLAIN = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")


@dataclass(frozen=True)
class Literals:
    """A pattern of plain names: those that a module's name ends in, and those that it is."""

    ends: tuple[str, ...]
    wholes: frozenset[str]

    def match(self, module: str) -> bool:
        """Whether the pattern matches the whole name; `.` stands for no line's end."""
        if module in self.wholes:
            return True
        return any(module.endswith(e) and "\n" not in module.removesuffix(e) for e in self.ends)


@dataclass(frozen=True)
class Names:
    """A list of names, which stand for modules that they end in, too."""

    own: frozenset[str]

    def match(self, module: str) -> bool:
        """Whether it is one of them, or one in some other module."""
        starts = (place + 1 for place, character in enumerate(module) if character == ".")
        return module in self.own or any(module[start:] in self.own for start in starts)


@dataclass(frozen=True)
class Modules:
    """What PEFT's `check_target_module_exists` goes by; without `targets`, all are adapted."""

    targets: Names | Literals | None
    excluded: Names | Literals
    saved: tuple[re.Pattern[str], ...]
    layers: frozenset[int] | None
    stacks: tuple[str, ...]

    def adapts(self, module: str) -> bool:
        """Whether PEFT would put factors on that module."""
        if self.excluded.match(module) or any(own.match(module) for own in self.saved):
            return False
        if self.targets is None:
            return True
        if isinstance(self.targets, Names) and module in self.targets.own:
            return True  # in whatever layer
        if not self.targets.match(module):
            return False
        return self.layers is None or _layer(module, self.stacks) in self.layers


def modules(config: Mapping[str, Any]) -> Modules:
    """What an adapter's settings say. Raises CheckError for patterns, FormatError for nonsense."""
    targets = config.get("target_modules")
    if targets is None:
        raise CheckError(
            f"{ADAPTER_CONFIG}: target_modules: not there: which modules are adapted is left to "
            "PEFT's own tables",
            hint=MERGE,
        )
    layers = config.get("layers_to_transform")
    chosen = frozenset(_integers(layers)) if layers or layers == 0 else None
    if isinstance(targets, str) and chosen is not None:
        raise wrong("layers_to_transform", layers, "none beside a pattern in target_modules")
    everything = isinstance(targets, str) and targets.lower() == ALL
    return Modules(
        targets=None if everything else _matcher(config, "target_modules"),
        excluded=_matcher(config, "exclude_modules"),
        saved=_saved(config),
        layers=chosen,
        stacks=_stacks(config),
    )


def _matcher(config: Mapping[str, Any], key: str) -> Names | Literals:
    value = config.get(key)
    if not isinstance(value, str) or (key == "exclude_modules" and not value):
        return Names(frozenset(names(config, key)))
    group = _GROUP.fullmatch(value) if len(value) <= MAX_PATTERN else None
    if group:
        found = [group["before"] + name for name in group["names"].split("|")]
    elif len(value) <= MAX_PATTERN and _ALTERNATIVES.fullmatch(value):
        found = value.split("|")
    else:
        raise _pattern(key, value)
    literal = [name.replace("\\.", ".") for name in found]  # of `.*` the dot has no backslash
    return Literals(
        tuple(name[2:] for name in literal if name.startswith(".*")),
        frozenset(name for name in literal if not name.startswith(".*")),
    )


def _saved(config: Mapping[str, Any]) -> tuple[re.Pattern[str], ...]:
    """What keeps PEFT from adapting modules that are saved whole."""
    found = names(config, "modules_to_save")
    if len(found) > MAX_SAVED:
        raise wrong("modules_to_save", len(found), f"at most {MAX_SAVED} names")
    for name in found:
        if not _PLAIN.fullmatch(name):
            raise _pattern("modules_to_save", name)
    return tuple(re.compile(rf"(^|.*\.){name}($|\..*)") for name in found)


def _pattern(key: str, value: Any) -> CheckError:
    return CheckError(
        f"{ADAPTER_CONFIG}: {key}: {shown(value)}: fpcheck does not run patterns from a file",
        hint=MERGE,
    )


def names(config: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """The list of names under a key, or the only one; () for none. Raises FormatError."""
    value = config.get(key)
    found = [value] if isinstance(value, str) and value else value or []
    if not isinstance(found, list) or not all(isinstance(name, str) and name for name in found):
        raise wrong(key, value, "names")
    return tuple(found)


def _stacks(config: Mapping[str, Any]) -> tuple[str, ...]:
    found = names(config, "layers_pattern")
    if not all(name.isidentifier() for name in found):
        raise wrong("layers_pattern", list(found), "plain names; regular expressions are not run")
    return found


def _layer(module: str, stacks: tuple[str, ...]) -> int | None:
    """The layer that PEFT takes a module to be of: the first number, in the first stack found."""
    parts = module.split(".")
    numbers = [n for n in range(1, len(parts) - 1) if re.fullmatch(r"\d+", parts[n])]
    if not stacks:
        return next((int(parts[n]) for n in numbers if n > 1), None)
    places = (n for stack in stacks for n in numbers if parts[n - 1] == stack)
    return next((int(parts[n]) for n in places), None)


def _integers(value: Any) -> list[int]:
    found = value if isinstance(value, list) else [value]
    if not all(type(item) is int for item in found):
        raise wrong("layers_to_transform", value, "layer numbers")
    return found


def wrong(key: str, value: Any, expected: str) -> FormatError:
    """The error for a setting that is no such."""
    return FormatError(
        f"{ADAPTER_CONFIG}: {key}: expected {expected}, got {shown(value)}",
        hint="save the adapter again with PEFT",
    )
