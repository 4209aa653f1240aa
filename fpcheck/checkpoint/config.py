"""config.json: what a checkpoint says about its architecture. Read, never trusted or run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fpcheck.checkpoint.strict_json import parse_object
from fpcheck.source import Source, read_small

CONFIG = "config.json"
MAX_CONFIG_BYTES = 4_000_000
# Where composite models keep the language model's own settings.
SUB_CONFIGS = ("text_config", "llm_config", "language_config", "decoder", "text_model")


def read_config(source: Source) -> Mapping[str, Any]:
    """The parsed config.json, {} when there is none. Raises FormatError."""
    if CONFIG not in source.files():
        return {}
    # Python writes Infinity into configs (Mamba's time_step_limit), so readers must take it.
    return parse_object(read_small(source, CONFIG, MAX_CONFIG_BYTES), CONFIG, constants=True)


def views(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The language model's settings, most specific first: its sub-config, then the top level."""
    for key in SUB_CONFIGS:
        if isinstance(config.get(key), dict):
            yield config[key]
    yield config


def integer(config: Mapping[str, Any], *keys: str) -> int | None:
    """The first positive integer that the config has under one of `keys`."""
    for view in views(config):
        for key in keys:
            if type(view.get(key)) is int and view[key] > 0:
                return int(view[key])
    return None


def flag(config: Mapping[str, Any], key: str) -> bool | None:
    """The first boolean that the config has under `key`."""
    for view in views(config):
        if isinstance(view.get(key), bool):
            return bool(view[key])
    return None


def model_types(config: Mapping[str, Any]) -> frozenset[str]:
    """Every architecture that the config names, its sub-configs included."""
    found = (view.get("model_type") for view in views(config))
    return frozenset(name for name in found if isinstance(name, str))
