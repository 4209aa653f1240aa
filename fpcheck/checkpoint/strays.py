"""Weight files that are released with a checkpoint without being part of it."""

from __future__ import annotations

from collections.abc import Iterable

from fpcheck.checkpoint.foreign import foreign

# What fpcheck reads; every other form of weights is a row of `foreign`.
READ = (".safetensors", ".gguf")


def stray_weights(files: Iterable[str], shards: Iterable[str]) -> tuple[str, ...]:
    """The names of weight files that no check of `shards` has looked into.

    Another file than the one that was checked may be the one that is loaded.
    """
    known = set(shards)
    return tuple(name for name in files if name not in known and _is_weights(name))


def _is_weights(name: str) -> bool:
    return name.lower().endswith(READ) or foreign(name) is not None
