"""A checkpoint as a table of tensors, without loading any of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fpcheck.checkpoint.card import declared_bases
from fpcheck.checkpoint.config import read_config
from fpcheck.checkpoint.gguf import read_gguf
from fpcheck.checkpoint.gguf.files import find_gguf
from fpcheck.checkpoint.header import Tensor, parse_header
from fpcheck.checkpoint.shards import Shards, find_shards, join_shards
from fpcheck.checkpoint.strays import stray_weights
from fpcheck.checkpoint.weight_sets import FALLBACKS, INDEXED
from fpcheck.errors import FormatError
from fpcheck.source import Source, SourceFile

__all__ = ["Checkpoint", "Tensor", "parse_header", "read_checkpoint"]


@dataclass(frozen=True)
class Checkpoint:
    """One model's files at one commit: its tensors, its config and what its card declares.

    `tensors` by name, `shards` are the files they came from, `config` is config.json, or what a
    GGUF header says in its place ({} when there is none), `declared_bases` are the model card's
    `base_model` ids, `files` is everything that is released with the weights, and `strays` are
    weight files among them that are not of this checkpoint; `notes` say why, where there was a
    choice.
    """

    source: Source
    tensors: Mapping[str, Tensor]
    shards: tuple[str, ...]
    config: Mapping[str, Any]
    declared_bases: tuple[str, ...]
    files: tuple[SourceFile, ...]
    strays: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def model_type(self) -> str:
        """What config.json calls the architecture, or "" (untrusted text)."""
        value = self.config.get("model_type")
        return value if isinstance(value, str) else ""


def read_checkpoint(source: Source) -> Checkpoint:
    """Read and check every header of a checkpoint; no weight is read.

    Raises FormatError for anything malformed, CheckError when there are no weights,
    SourceError when bytes cannot be had.
    """
    gguf = find_gguf(source.files())
    if gguf:
        return _of_gguf(source, gguf)
    shards = find_shards(source)
    config = read_config(source)
    _refuse_other_weights(config, shards)
    return Checkpoint(
        source=source,
        tensors=join_shards(source, shards),
        shards=shards.names,
        config=config,
        declared_bases=declared_bases(source),
        files=tuple(source.files().values()),
        strays=stray_weights(source.files(), shards.names),
        notes=shards.notes,
    )


def _of_gguf(source: Source, names: tuple[str, ...]) -> Checkpoint:
    """A GGUF model says itself what it is: its loaders read no config.json."""
    for file in source.files():
        if file.removesuffix(INDEXED) in FALLBACKS:
            raise FormatError(
                f"{file}: beside {names[0]}: which of them is released?",
                hint=f"name {names[0]} itself to have it checked, or remove {file}",
            )
    model = read_gguf(source, names)
    return Checkpoint(
        source=source,
        tensors=model.tensors,
        shards=names,
        config=model.config,
        declared_bases=declared_bases(source),
        files=tuple(source.files().values()),
        strays=stray_weights(source.files(), names),
    )


def _refuse_other_weights(config: Mapping[str, Any], shards: Shards) -> None:
    """Refuse a config that has loaders read another file than the one that is checked."""
    named = config.get("transformers_weights")
    checked = {None, shards.index} if shards.weight_map else {None, *shards.names}
    if not isinstance(named, str | None) or named not in checked:
        raise FormatError(
            f"config.json: transformers_weights: {_shown(named)} is not what is checked",
            hint="remove the entry, or release that file alone",
        )


def _shown(value: object) -> str:
    return repr(value[:80]) if isinstance(value, str) else f"a {type(value).__name__}"
