"""Which part of config.json reading a checkpoint asks for: noted while it is read, listed nowhere.

A list would have to be kept beside the tables that ask; this one cannot fall behind them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fpcheck.heads import HEADS, KV_HEADS

# What tells a reader, and later rows of the table, how the channels divide.
ALWAYS = frozenset({"model_type", "hidden_size", "head_dim", *HEADS, *KV_HEADS})
_PLAIN = (str, int, float, bool)


class Noted(dict[str, Any]):
    """A config that notes the keys that it was asked for, in its parts too."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(
            {
                key: Noted(value) if isinstance(value, dict) else value
                for key, value in config.items()
            }
        )
        self.asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        """As of any dict."""
        self.asked.add(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> Any:
        self.asked.add(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        """As of any dict."""
        self.asked.add(str(key))
        return super().__contains__(key)

    def __iter__(self) -> Iterator[str]:
        """Whoever goes through all keys asks for all."""
        self.asked.update(super().keys())
        return super().__iter__()

    def keys(self) -> Any:
        """As of any dict."""
        self.asked.update(super().keys())
        return super().keys()

    def values(self) -> Any:
        """As of any dict."""
        self.asked.update(super().keys())
        return super().values()

    def items(self) -> Any:
        """As of any dict."""
        self.asked.update(super().keys())
        return super().items()

    def kept(self) -> dict[str, Any]:
        """The keys that were asked for and those of ALWAYS, with values that are plain."""
        found = {}
        for key, value in super().items():
            wanted = key in self.asked or key in ALWAYS
            if wanted and isinstance(value, Noted):
                found[key] = value.kept()
            elif wanted and _is_plain(value):
                found[key] = value
        return found


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, _PLAIN) for item in value)
    return isinstance(value, _PLAIN)
