"""A PEFT adapter and its base → the checkpoint that they make together, merged as it is read.

What a loader would end up with is what is measured: every adapted matrix is one of the base's with
a coding that adds the adapter's factors, every whole tensor of the adapter stands in the place of
the base's own. Nothing of the adapter is left over: what finds no place is an error.
"""

from __future__ import annotations

from dataclasses import replace

from fpcheck.adapters.merging import merge
from fpcheck.adapters.names import Named, by_module
from fpcheck.adapters.settings import Settings, read_settings
from fpcheck.checkpoint import Checkpoint, read_checkpoint
from fpcheck.checkpoint.adapter_config import base_name, read_adapter_config
from fpcheck.checkpoint.card import declared_bases
from fpcheck.checkpoint.shards import find_adapter, join_shards
from fpcheck.checkpoint.strays import stray_weights
from fpcheck.encodings import decoded
from fpcheck.source import Source
from fpcheck.source.joined import MARK, JoinedSource


def merged(adapter: Source, base: Source) -> tuple[Checkpoint, tuple[str, ...]]:
    """The checkpoint that an adapter makes of its base, and in words what is not as it seems.

    What is released is the adapter: its files and its card. Raises CheckError for an adapter that
    cannot be merged, FormatError for one that does not fit its base, UsageError for no adapter.
    """
    shards = find_adapter(adapter)
    config = read_adapter_config(adapter)
    settings = read_settings(config)
    own = join_shards(adapter, shards).values()
    named = by_module(replace(tensor, file=MARK + tensor.file) for tensor in own)
    model, faults = decoded(read_checkpoint(base))
    tensors = merge(model, named, settings)
    about_base = (f"the base: {note}" for note in model.notes)
    checkpoint = replace(
        model,
        source=JoinedSource(base, adapter),
        tensors={name: tensors[name] for name in sorted(tensors)},
        shards=shards.names,
        declared_bases=declared_bases(adapter),
        files=tuple(adapter.files().values()),
        strays=stray_weights(adapter.files(), shards.names),
        notes=(_what(named, settings, base, base_name(config)), *shards.notes, *about_base),
    )
    return checkpoint, (*settings.unfollowed, *(f"the base: {fault}" for fault in faults))


def _what(named: Named, settings: Settings, base: Source, own: str) -> str:
    """What was merged, in words; `own` is what the adapter calls its base."""
    kind = "DoRA" if settings.dora else "LoRA"
    kind = f"rank-stabilised {kind}" if settings.rank_stabilised else kind
    return (
        f"{kind} of {len(named.modules)} modules and {len(named.whole)} whole tensors, merged as "
        f"they were read, on {base.origin}; the adapter's own word for its base is {own}"
    )
