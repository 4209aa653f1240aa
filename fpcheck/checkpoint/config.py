"""config.json: what a checkpoint says about its architecture. Read, never trusted or run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fpcheck.checkpoint.architectures import LAYER_KEYS
from fpcheck.checkpoint.pointers import refuse_pointer
from fpcheck.checkpoint.strict_json import parse_object
from fpcheck.errors import FormatError
from fpcheck.source import Source, read_small

CONFIG = "config.json"
MAX_CONFIG_BYTES = 4_000_000
# The longest configs name the labels of ImageNet-21k, twice. A parsed value takes some 200 bytes.
MAX_CONFIG_VALUES = 100_000
# Where composite models keep the language model's own settings.
SUB_CONFIGS = ("text_config", "llm_config", "language_config", "decoder", "text_model")


def read_config(source: Source) -> Mapping[str, Any]:
    """The parsed config.json, {} when there is none. Raises FormatError."""
    if CONFIG not in source.files():
        return {}
    refuse_pointer(source, CONFIG)
    content = read_small(source, CONFIG, MAX_CONFIG_BYTES)
    if content.count(b",") > MAX_CONFIG_VALUES:
        raise FormatError(
            f"{CONFIG}: more than {MAX_CONFIG_VALUES:,} values", hint="it is no model's config"
        )
    # Python writes Infinity into configs (Mamba's time_step_limit), so readers must take it.
    return parse_object(content, CONFIG, constants=True)


def views(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The language model's settings: its sub-config, then the top level.

    The top level alone for architectures that have no sub-config: their loaders ignore one.
    """
    found = (config[key] for key in SUB_CONFIGS if isinstance(config.get(key), dict))
    inner = None if own_type(config) in LAYER_KEYS else next(found, None)
    yield from (config,) if inner is None else (inner, config)


def own_type(config: Mapping[str, Any]) -> str:
    """The architecture that the config itself names, "" when it names none."""
    value = config.get("model_type")
    return value if isinstance(value, str) else ""


def integer(config: Mapping[str, Any], *keys: str) -> int | None:
    """The positive integer under the first of `keys` that the config has.

    None when it is no such, or when a sub-config and the top level disagree: a second value
    would be a way to choose how the weights are read.
    """
    found = next(filter(None, (_stated(config, key) for key in keys)), [])
    return found[0] if _agreed(found) and type(found[0]) is int and found[0] > 0 else None


def flag(config: Mapping[str, Any], key: str) -> bool | None:
    """The boolean under `key`; None when there is none, or when the config's parts disagree."""
    found = _stated(config, key)
    return found[0] if _agreed(found) and isinstance(found[0], bool) else None


def listed(config: Mapping[str, Any], key: str) -> tuple[Any, ...]:
    """The list under `key`; () when there is none, or when the config's parts disagree."""
    found = _stated(config, key)
    return tuple(found[0]) if _agreed(found) and isinstance(found[0], list) else ()


def is_stated(config: Mapping[str, Any], key: str) -> bool:
    """Whether any part of the config has a value under `key`, be it one that `flag` refuses."""
    return bool(_stated(config, key))


def is_clear(config: Mapping[str, Any], key: str) -> bool:
    """Whether the config has a value under `key`, and its parts agree on it."""
    return _agreed(_stated(config, key))


def model_types(config: Mapping[str, Any]) -> frozenset[str]:
    """Every architecture that the config names, its sub-configs included."""
    found = (view.get("model_type") for view in views(config))
    return frozenset(name for name in found if isinstance(name, str))


def _stated(config: Mapping[str, Any], key: str) -> list[Any]:
    """The values under `key` in all parts of the config; null says nothing."""
    return [view[key] for view in views(config) if view.get(key) is not None]


def _agreed(values: list[Any]) -> bool:
    """Whether there are values, and all are one; True is not 1."""
    return bool(values) and all(type(v) is type(values[0]) and v == values[0] for v in values)
