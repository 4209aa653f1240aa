"""Which safetensors files make up a checkpoint, and their joint table of tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from fpcheck.checkpoint.adapter_config import ADAPTER_CONFIG, refuse_alone, refuse_embedded
from fpcheck.checkpoint.foreign import refused
from fpcheck.checkpoint.header import Tensor, parse_header
from fpcheck.checkpoint.index_file import read_index, rebuild
from fpcheck.checkpoint.room import Room
from fpcheck.checkpoint.strays import stray_weights
from fpcheck.checkpoint.sub_models import refuse_modules, refuse_pipeline
from fpcheck.checkpoint.weight_sets import (
    SUFFIX,
    WeightSet,
    choose,
    listed,
    reason,
    refuse_fallback,
    weight_sets,
)
from fpcheck.errors import CheckError, FormatError, UsageError
from fpcheck.source import Source

ADAPTER = "adapter_model"


@dataclass(frozen=True)
class Shards:
    """The safetensors files of a checkpoint, sorted; `weight_map` when an index names them.

    `notes` say why these files and no others, where there was a choice.
    """

    names: tuple[str, ...]
    index: str = ""
    weight_map: Mapping[str, str] | None = None
    notes: tuple[str, ...] = ()


def find_shards(source: Source) -> Shards:
    """The files that loaders take unasked, else the only ones there are.

    Raises FormatError for files that contradict one another or leave the choice open, CheckError
    when there is nothing that can be read.
    """
    files = source.files()
    sets = weight_sets(files)
    adapter = sets.pop(ADAPTER, None)
    if ADAPTER_CONFIG in files and sets:
        refuse_embedded(source, next(iter(sets.values())).shown)
    refuse_pipeline(source)
    refuse_modules(source, heads=bool(sets) and not any(s.loader for s in sets.values()))
    if not sets and (adapter or ADAPTER_CONFIG in files):
        refuse_alone(source)
    if not sets:
        raise _nothing(source)
    chosen = choose(sets)
    refuse_fallback(chosen, files)
    found = _members(source, chosen)
    taken = {*found.names, found.index}
    others = [own for own in sets.values() if own is not chosen and not taken.issuperset(own.files)]
    return replace(found, notes=tuple(filter(None, (*found.notes, reason(chosen, others)))))


def find_adapter(source: Source) -> Shards:
    """The files of a PEFT adapter, whatever lies beside them.

    Raises UsageError when there is none, CheckError when it is in another form.
    """
    files = source.files()
    found = weight_sets(files).get(ADAPTER)
    if found:
        _refuse_pickle_beside(found, files)
        return _members(source, found)
    pickle = refused(name for name in files if name.startswith(ADAPTER + "."))
    if pickle:
        name, form = pickle
        raise CheckError(f"{name}: {form.what}: {form.why}", hint=form.how)
    raise UsageError(
        f"{source.origin}: no adapter: it has no {ADAPTER}{SUFFIX}",
        hint="leave --base out: a base is for adapters alone",
    )


def join_shards(source: Source, shards: Shards) -> dict[str, Tensor]:
    """Every tensor of every shard by name, sorted.

    Raises FormatError when the index and the headers differ.
    """
    tensors: dict[str, Tensor] = {}
    room = Room()
    for shard in shards.names:
        for tensor in parse_header(source, shard, room):
            _check_place(tensor, tensors.get(tensor.name), shards)
            tensors[tensor.name] = tensor
    for name, shard in (shards.weight_map or {}).items():
        if name not in tensors:
            raise FormatError(
                f"{shards.index}: {name!r} is not in {shard}", hint=rebuild(shards.index)
            )
    return {name: tensors[name] for name in sorted(tensors)}


def _members(source: Source, chosen: WeightSet) -> Shards:
    """The files of a set: those that its index names, the single one, or numbered ones."""
    if chosen.index:
        weight_map = read_index(source, chosen.index)
        names = tuple(sorted(set(weight_map.values())))
        if chosen.single and names != (chosen.single,):
            raise FormatError(
                f"both {chosen.single} and {chosen.index} are there: which one is released? "
                "transformers loads the file, vLLM the shards that the index names",
                hint="remove one; or name either file to check it alone",
            )
        return Shards(names, chosen.index, weight_map)
    if chosen.single:
        return Shards((chosen.single,))
    shards = chosen.shards()
    whole = f"no index: {listed(shards)} are taken for one whole, as they are numbered"
    return Shards(shards, notes=(whole,))


def _refuse_pickle_beside(found: WeightSet, files: Iterable[str]) -> None:
    """PEFT loads a single file, else the pickle; it knows no shards."""
    pickle = ADAPTER + ".bin"
    if not found.single and pickle in files:
        raise FormatError(
            f"{pickle} is what PEFT loads, as there is no {ADAPTER}{SUFFIX}; {found.shown} is not",
            hint=f"remove {pickle}, or save the adapter again with PEFT",
        )


def _nothing(source: Source) -> CheckError:
    """The error for a folder without what is looked for, which says what lies there instead."""
    weights = stray_weights(source.files(), ())
    below = [name for name in weights if name.endswith(SUFFIX)]
    other = refused(weights)
    message = f"{source.origin}: no safetensors file at its top, and no .gguf, which is read, too"
    if below:
        return CheckError(message, hint=f"there is {listed(below)}: name that folder or file")
    if other:
        name, form = other
        return CheckError(
            f"{message}; there is {listed([name])}: {form.what}: {form.why}", hint=form.how
        )
    return CheckError(
        f"{message}: neither model{SUFFIX}, nor its shards and their index, nor another one",
        hint="name the folder that holds the weights",
    )


def _check_place(tensor: Tensor, known: Tensor | None, shards: Shards) -> None:
    if known is not None:
        raise FormatError(
            f"tensor {tensor.name!r} is in both {known.file} and {tensor.file}",
            hint=rebuild(shards.index) if shards.index else "write the shards again, together",
        )
    if shards.weight_map is not None and shards.weight_map.get(tensor.name) != tensor.file:
        listing = shards.weight_map.get(tensor.name, "no shard")
        raise FormatError(
            f"{shards.index}: tensor {tensor.name!r} is in {tensor.file}, the index says {listing}",
            hint=rebuild(shards.index),
        )
