"""The header of one GGUF file, and the joint table of all the parts of a split one."""

from __future__ import annotations

from struct import Struct
from typing import Any, NamedTuple

from gguf.constants import GGUF_MAGIC, GGUF_VERSION, Keys

from fpcheck.checkpoint.gguf import Model
from fpcheck.checkpoint.gguf.cursor import CONVERT, LENGTH, Cursor
from fpcheck.checkpoint.gguf.metadata import TYPE, Value, read_metadata
from fpcheck.checkpoint.gguf.settings import config_of
from fpcheck.checkpoint.gguf.tensors import read_tensors
from fpcheck.checkpoint.header import Tensor
from fpcheck.checkpoint.pointers import refuse_pointer
from fpcheck.checkpoint.room import Room
from fpcheck.errors import FormatError
from fpcheck.source import Source

VERSIONS = range(2, GGUF_VERSION + 1)
MAGIC = Struct("<I")
REJOIN = "split the model again with llama-gguf-split, and keep its parts' names"


class Part(NamedTuple):
    """What one file holds."""

    metadata: dict[str, Value]
    tensors: list[Tensor]


def join_parts(source: Source, names: tuple[str, ...]) -> Model:
    """The model of these parts, in order; the first says what it is. Raises FormatError."""
    room = Room()
    tensors: dict[str, Tensor] = {}
    config: dict[str, Any] = {}
    for number, name in enumerate(names):
        part = read_part(source, name, room)
        _check_place(name, part.metadata, number, len(names))
        for tensor in part.tensors:
            _refuse_twice(tensor, tensors.get(tensor.name))
            tensors[tensor.name] = tensor
        config = config or config_of(part.metadata)
    return Model({name: tensors[name] for name in sorted(tensors)}, config)


def read_part(source: Source, file: str, room: Room) -> Part:
    """The checked header of one file. Raises FormatError."""
    refuse_pointer(source, file)
    cursor = Cursor(source, file)
    if cursor.number(MAGIC) != GGUF_MAGIC:
        raise FormatError(f"{file}: not a GGUF file: its first bytes differ", hint=CONVERT)
    _check_version(cursor)
    count = cursor.number(LENGTH)
    metadata = read_metadata(cursor, cursor.number(LENGTH))
    return Part(metadata, read_tensors(cursor, count, metadata, room))


def _check_version(cursor: Cursor) -> None:
    version = cursor.number(TYPE)
    if version in VERSIONS:
        return
    if version & 0xFFFF == 0 and version:
        raise FormatError(f"{cursor.file}: a big-endian GGUF file", hint=CONVERT)
    raise FormatError(
        f"{cursor.file}: version {version} of GGUF, not {VERSIONS.start} to {GGUF_VERSION}",
        hint=CONVERT,
    )


def _check_place(name: str, metadata: dict[str, Value], number: int, count: int) -> None:
    """Hold a part to what it says of itself: whoever mixes parts loads another model."""
    stated = (
        metadata.get(Keys.Split.LLM_KV_SPLIT_COUNT, 1),
        metadata.get(Keys.Split.LLM_KV_SPLIT_NO, 0),
    )
    # llama.cpp reads a count of 0 as that of a file which is not split.
    if (stated[0] or 1, stated[1]) != (count, number):
        raise FormatError(
            f"{name}: says of itself that it is part {stated[1]!r} (counted from 0) of "
            f"{stated[0]!r}, and is taken for part {number} of {count}",
            hint=REJOIN,
        )


def _refuse_twice(tensor: Tensor, known: Tensor | None) -> None:
    if known is not None:
        where = f"{known.file} and {tensor.file}" if known.file != tensor.file else tensor.file
        raise FormatError(f"tensor {tensor.name!r} is twice in {where}", hint=CONVERT)
