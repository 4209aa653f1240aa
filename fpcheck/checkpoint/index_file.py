"""The index of a sharded checkpoint: which shard holds which tensor."""

from __future__ import annotations

import sys
from typing import Any

from fpcheck.checkpoint.members import Text
from fpcheck.checkpoint.pointers import refuse_pointer
from fpcheck.checkpoint.room import Room
from fpcheck.checkpoint.weight_sets import SUFFIX
from fpcheck.errors import FormatError
from fpcheck.source import Source


def rebuild(index: str) -> str:
    """What to do about an index that is wrong."""
    return f"write the shards and {index} again, together"


def read_index(source: Source, index: str) -> dict[str, str]:
    """The shard of each tensor.

    Raises FormatError for an index that lies or names shards that are not there.
    """
    refuse_pointer(source, index)
    text = Text(source, index, (0, source.files()[index].size), Room())
    weight_map: dict[str, str] = {}
    for key in text.members():
        if key == "weight_map":
            weight_map = _weight_map(text, source)
        else:
            text.value()
    text.end()
    if not weight_map:
        raise _mapless(index)
    return weight_map


def _weight_map(text: Text, source: Source) -> dict[str, str]:
    if text.peek() != "{":
        raise _mapless(text.what)
    found = ((name, text.value()) for name in text.members())
    return {name: _shard_name(name, shard, text.what, source) for name, shard in found}


def _mapless(index: str) -> FormatError:
    return FormatError(
        f"{index}: weight_map: expected tensor names and their shards", hint=rebuild(index)
    )


def _shard_name(name: str, shard: Any, index: str, source: Source) -> str:
    """The shard of a tensor, in one copy for all tensors of the shard."""
    where = f"{index}: weight_map[{name!r}]"
    if not isinstance(shard, str) or not shard.endswith(SUFFIX) or set(shard) & set("/\\\0"):
        shown = repr(shard[:80]) if isinstance(shard, str) else type(shard).__name__
        raise FormatError(
            f"{where}: {shown} is not the name of a {SUFFIX} file", hint=rebuild(index)
        )
    if shard not in source.files():
        raise FormatError(
            f"{where}: {shard[:200]} is not in the checkpoint",
            hint="name the folder that holds all shards; an upload may be incomplete",
        )
    return sys.intern(shard)
