"""Which safetensors files make up a checkpoint, and their joint table of tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fpcheck.checkpoint.header import MAX_TENSORS, Tensor, parse_header
from fpcheck.checkpoint.strict_json import parse_object
from fpcheck.errors import CheckError, FormatError
from fpcheck.source import Source, read_small

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
MAX_INDEX_BYTES = 100_000_000
SUFFIX = ".safetensors"


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
    for shard in shards.names:
        for tensor in parse_header(source, shard):
            _check_place(tensor, tensors.get(tensor.name), shards.weight_map)
            tensors[tensor.name] = tensor
        if len(tensors) > MAX_TENSORS:
            raise FormatError(f"{shard}: more than {MAX_TENSORS:,} tensors in all shards")
    for name, shard in (shards.weight_map or {}).items():
        if name not in tensors:
            raise FormatError(f"{INDEX}: {name!r} is not in {shard}")
    return dict(sorted(tensors.items()))


def _only(files: Mapping[str, Any]) -> str:
    found = [name for name in files if name.endswith(SUFFIX) and "/" not in name]
    if len(found) == 1:
        return found[0]
    if not found:
        raise CheckError(
            "no safetensors file in the checkpoint",
            hint="fpcheck reads safetensors only; convert the weights before the release",
        )
    raise FormatError(
        f"{len(found)} safetensors files and no {INDEX}: {', '.join(map(repr, found[:4]))}",
        hint=f"add {INDEX}, or name one file",
    )


def _indexed(source: Source) -> Shards:
    index = parse_object(read_small(source, INDEX, MAX_INDEX_BYTES), INDEX)
    weight_map = index.get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise FormatError(f"{INDEX}: weight_map: expected tensor names and their shards")
    for name, shard in weight_map.items():
        _check_shard_name(name, shard, source)
    return Shards(tuple(sorted(set(weight_map.values()))), weight_map)


def _check_shard_name(name: str, shard: Any, source: Source) -> None:
    where = f"{INDEX}: weight_map[{name!r}]"
    if not isinstance(shard, str) or not shard.endswith(SUFFIX) or set(shard) & set("/\\\0"):
        raise FormatError(f"{where}: {str(shard)[:80]!r} is not the name of a {SUFFIX} file")
    if shard not in source.files():
        raise FormatError(
            f"{where}: {shard} is not in the checkpoint", hint="an upload may be incomplete"
        )


def _check_place(
    tensor: Tensor, known: Tensor | None, weight_map: Mapping[str, str] | None
) -> None:
    if known is not None:
        raise FormatError(f"tensor {tensor.name!r} is in both {known.file} and {tensor.file}")
    if weight_map is not None and weight_map.get(tensor.name) != tensor.file:
        listed = weight_map.get(tensor.name, "no shard")
        raise FormatError(
            f"{INDEX}: tensor {tensor.name!r} is in {tensor.file}, the index says {listed}"
        )
