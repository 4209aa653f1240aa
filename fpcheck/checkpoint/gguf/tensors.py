"""The tensors of one GGUF file: names, shapes and types, and where their bytes lie."""

from __future__ import annotations

import math
from struct import Struct
from typing import NamedTuple

from gguf.constants import GGML_QUANT_SIZES, GGUF_DEFAULT_ALIGNMENT, GGMLQuantizationType, Keys

from fpcheck.checkpoint.gguf.cursor import CONVERT, CUT, LENGTH, Cursor
from fpcheck.checkpoint.gguf.metadata import TYPE, Value
from fpcheck.checkpoint.header import Tensor
from fpcheck.checkpoint.room import Room
from fpcheck.errors import FormatError

MAX_NAME = 1_024  # bytes; ggml itself takes 63
MAX_DIMENSIONS = 4  # ggml's own limit
MAX_SIZE = 2**63 - 1
OFFSET = LENGTH
DIMENSION = Struct("<Q")


class Info(NamedTuple):
    """What the header says of one tensor; `size` is in bytes, `offset` from the data's first."""

    name: str
    kind: GGMLQuantizationType
    shape: tuple[int, ...]
    size: int
    offset: int


def read_tensors(
    cursor: Cursor, count: int, metadata: dict[str, Value], room: Room
) -> list[Tensor]:
    """The tensors of a file whose metadata the cursor has passed. Raises FormatError."""
    infos = [_info(cursor, room) for _ in range(count)]
    step = _alignment(cursor, metadata)
    position = base = _padded(cursor.place, step)
    tensors = []
    for info in infos:
        _refuse_misplaced(cursor, info, position - base)
        stop = position + info.size
        name = info.kind.name
        tensors.append(Tensor(info.name, name, info.shape, cursor.file, position, stop))
        position = _padded(stop, step)
    _check_end(cursor, tensors, position)
    return tensors


def _info(cursor: Cursor, room: Room) -> Info:
    name = cursor.text(MAX_NAME, "a tensor's name")
    room.name(name, cursor.file)
    dimensions = cursor.number(TYPE)
    if dimensions > MAX_DIMENSIONS:
        raise _malformed(cursor, name, f"{dimensions:,} dimensions, more than {MAX_DIMENSIONS}")
    sizes = [cursor.number(DIMENSION) for _ in range(dimensions)]
    kind = _kind(cursor, name)
    # ggml counts from the fastest dimension on, numpy down to it.
    shape = room.shape(tuple(reversed(sizes)), cursor.file)
    return Info(name, kind, shape, _size(cursor, name, kind, shape), cursor.number(OFFSET))


def _kind(cursor: Cursor, name: str) -> GGMLQuantizationType:
    number = cursor.number(TYPE)
    try:
        return GGMLQuantizationType(number)
    except ValueError as error:
        raise FormatError(
            f"{cursor.file}: tensor {name!r}: type {number} is not known to the gguf package",
            hint="the file may be newer than the package: pip install --upgrade gguf",
        ) from error


def _size(cursor: Cursor, name: str, kind: GGMLQuantizationType, shape: tuple[int, ...]) -> int:
    elements, size = GGML_QUANT_SIZES[kind]
    row = shape[-1] if shape else 1
    if row % elements:
        raise _malformed(
            cursor, name, f"rows of {row:,}, not in blocks of {elements} ({kind.name})"
        )
    found = math.prod(shape) // elements * size
    if max(found, math.prod(shape), *shape, 0) > MAX_SIZE:
        raise _malformed(cursor, name, f"shape {list(shape)} is more than any file can hold")
    return found


def _alignment(cursor: Cursor, metadata: dict[str, Value]) -> int:
    step = metadata.get(Keys.General.ALIGNMENT, GGUF_DEFAULT_ALIGNMENT)
    if type(step) is not int or step <= 0 or step & (step - 1):
        raise FormatError(
            f"{cursor.file}: {Keys.General.ALIGNMENT}: {step!r} is not a power of two", hint=CONVERT
        )
    return step


def _padded(place: int, step: int) -> int:
    return place + -place % step


def _refuse_misplaced(cursor: Cursor, info: Info, expected: int) -> None:
    """Tensors follow each other, padded; ggml itself loads nothing else."""
    if info.offset != expected:
        fault = "overlaps the one before" if info.offset < expected else "leaves a gap before"
        raise FormatError(f"{cursor.file}: tensor {info.name!r} {fault} it", hint=CONVERT)


def _check_end(cursor: Cursor, tensors: list[Tensor], padded: int) -> None:
    if not tensors:
        return
    if tensors[-1].stop > cursor.size:
        raise FormatError(
            f"{cursor.file}: the file ends before the last tensor: {cursor.size:,} of "
            f"{tensors[-1].stop:,} bytes",
            hint=CUT,
        )
    if padded < cursor.size:
        raise FormatError(
            f"{cursor.file}: {cursor.size - padded:,} bytes follow the last tensor", hint=CONVERT
        )


def _malformed(cursor: Cursor, name: str, fault: str) -> FormatError:
    return FormatError(f"{cursor.file}: tensor {name!r}: {fault}", hint=CONVERT)
