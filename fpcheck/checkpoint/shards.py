"""Which safetensors files make up a checkpoint, and their joint table of tensors."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fpcheck.checkpoint.header import Tensor, parse_header
from fpcheck.checkpoint.members import Text
from fpcheck.checkpoint.pointers import refuse_pointer
from fpcheck.checkpoint.room import Room
from fpcheck.checkpoint.strays import stray_weights
from fpcheck.errors import CheckError, FormatError
from fpcheck.source import Source

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
SUFFIX = ".safetensors"
MAX_NAMED = 3  # files that a message names
REBUILD = f"write the shards and {INDEX} again, together"


@dataclass(frozen=True)
class Shards:
    """The safetensors files of a checkpoint, sorted; `weight_map` when an index names them."""

    names: tuple[str, ...]
    weight_map: Mapping[str, str] | None = None


def find_shards(source: Source) -> Shards:
    """The index's shards, else model.safetensors, else the only safetensors file.

    Raises FormatError for an index that lies or files that leave the choice open, CheckError when
    there is no safetensors file.
    """
    files = source.files()
    if INDEX in files and SINGLE in files:
        raise FormatError(
            f"both {SINGLE} and {INDEX} are there: which one is released?", hint="remove one"
        )
    if INDEX in files:
        return _indexed(source)
    if SINGLE in files:
        return Shards((SINGLE,))
    return Shards((_only(files),))


def join_shards(source: Source, shards: Shards) -> dict[str, Tensor]:
    """Every tensor of every shard by name, sorted.

    Raises FormatError when the index and the headers differ.
    """
    tensors: dict[str, Tensor] = {}
    room = Room()
    for shard in shards.names:
        for tensor in parse_header(source, shard, room):
            _check_place(tensor, tensors.get(tensor.name), shards.weight_map)
            tensors[tensor.name] = tensor
    for name, shard in (shards.weight_map or {}).items():
        if name not in tensors:
            raise FormatError(f"{INDEX}: {name!r} is not in {shard}", hint=REBUILD)
    return {name: tensors[name] for name in sorted(tensors)}


def _only(files: Mapping[str, Any]) -> str:
    found = [name for name in files if name.endswith(SUFFIX) and "/" not in name]
    if len(found) == 1:
        return found[0]
    if not found:
        raise _nothing(stray_weights(files, ()))
    raise FormatError(
        f"{len(found)} safetensors files and no {INDEX}: {_listed(found)}",
        hint=f"add {INDEX}, or name one file",
    )


def _nothing(others: tuple[str, ...]) -> CheckError:
    """The error for a folder without what is looked for, which names what lies there instead."""
    below = [name for name in others if name.endswith(SUFFIX)]
    message = f"no safetensors file in the checkpoint: neither {INDEX} nor {SINGLE} nor another one"
    if below:
        hint = f"there is {_listed(below)}: name that folder or file"
    elif others:
        hint = f"there is {_listed(others)}: fpcheck reads safetensors only; convert it first"
    else:
        hint = "name the folder that holds the weights; fpcheck reads safetensors only"
    return CheckError(message, hint=hint)


def _listed(names: Iterable[str]) -> str:
    shown = [repr(name[:200]) for name in names]
    more = f" and {len(shown) - MAX_NAMED:,} more" if len(shown) > MAX_NAMED else ""
    return ", ".join(shown[:MAX_NAMED]) + more


def _indexed(source: Source) -> Shards:
    refuse_pointer(source, INDEX)
    text = Text(source, INDEX, (0, source.files()[INDEX].size), Room())
    weight_map: dict[str, str] = {}
    for key in text.members():
        if key == "weight_map":
            weight_map = _weight_map(text, source)
        else:
            text.value()
    text.end()
    if not weight_map:
        raise _mapless()
    return Shards(tuple(sorted(set(weight_map.values()))), weight_map)


def _weight_map(text: Text, source: Source) -> dict[str, str]:
    if text.peek() != "{":
        raise _mapless()
    found = ((name, text.value()) for name in text.members())
    return {name: _shard_name(name, shard, source) for name, shard in found}


def _mapless() -> FormatError:
    return FormatError(f"{INDEX}: weight_map: expected tensor names and their shards", hint=REBUILD)


def _shard_name(name: str, shard: Any, source: Source) -> str:
    """The shard of a tensor, in one copy for all tensors of the shard."""
    where = f"{INDEX}: weight_map[{name!r}]"
    if not isinstance(shard, str) or not shard.endswith(SUFFIX) or set(shard) & set("/\\\0"):
        shown = repr(shard[:80]) if isinstance(shard, str) else type(shard).__name__
        raise FormatError(f"{where}: {shown} is not the name of a {SUFFIX} file", hint=REBUILD)
    if shard not in source.files():
        raise FormatError(
            f"{where}: {shard[:200]} is not in the checkpoint", hint="an upload may be incomplete"
        )
    return sys.intern(shard)


def _check_place(
    tensor: Tensor, known: Tensor | None, weight_map: Mapping[str, str] | None
) -> None:
    if known is not None:
        raise FormatError(
            f"tensor {tensor.name!r} is in both {known.file} and {tensor.file}", hint=REBUILD
        )
    if weight_map is not None and weight_map.get(tensor.name) != tensor.file:
        listed = weight_map.get(tensor.name, "no shard")
        raise FormatError(
            f"{INDEX}: tensor {tensor.name!r} is in {tensor.file}, the index says {listed}",
            hint=REBUILD,
        )
