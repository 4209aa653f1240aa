"""The header of one safetensors file, checked before anything else is believed.

Whatever the safetensors library refuses is refused. Beyond that, and so that no file takes more
memory than an honest one: a table of tensors that is larger than any model's (`Room`), a name of
more than 1,024 characters, a tensor of more than 32 dimensions or with an entry of more than
65,536 characters; and what two readers could read differently: a key that stands twice, or a field
that is not in the format.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any

from fpcheck.checkpoint.coding import Coding
from fpcheck.checkpoint.dtypes import BITS, MEASURABLE
from fpcheck.checkpoint.members import Text
from fpcheck.checkpoint.pointers import refuse_pointer
from fpcheck.checkpoint.room import Room
from fpcheck.errors import FormatError
from fpcheck.source import Source, read

LENGTH_BYTES = 8
MAX_HEADER_BYTES = 100_000_000  # the safetensors library's own limit
MAX_DIMENSIONS = 32  # numpy of old; no weight comes near
FIELDS = {"dtype", "shape", "data_offsets"}
_MAX_INTEGER = 2**64 - 1
RESAVE = "save the checkpoint again with the safetensors library"
CUT = "an interrupted download or upload looks like this: copy the file again"


@dataclass(frozen=True, slots=True)
class Tensor:
    """One named array in a shard: bytes `start:stop` of `file`, row-major, little-endian.

    With a `coding`, its values follow from codes: `dtype` then names the scheme, `shape` is that of
    the decoded matrix, and the place is that of the codes.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: str
    start: int
    stop: int
    coding: Coding | None = None

    @property
    def count(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def is_measurable(self) -> bool:
        """Whether its values are known: stored as they are, or following from codes."""
        return self.coding is not None or self.dtype in MEASURABLE


def parse_header(source: Source, file: str, room: Room | None = None) -> tuple[Tensor, ...]:
    """The tensors of one safetensors file, in the order of their bytes.

    Holds the file to the format's rules: every tensor fills its byte range exactly, the ranges
    cover the data without overlap, gap or trailing bytes. `room` is what the table of all the
    checkpoint's shards may take. Raises FormatError.
    """
    size = source.files()[file].size
    base = LENGTH_BYTES + _header_length(source, file, size)
    tensors = _tensors(Text(source, file, (LENGTH_BYTES, base), room or Room()), base)
    tensors.sort(key=lambda tensor: (tensor.start, tensor.stop))
    _check_layout(tensors, file, base, size)
    return tuple(tensors)


def _header_length(source: Source, file: str, size: int) -> int:
    refuse_pointer(source, file)
    if size < LENGTH_BYTES:
        raise FormatError(f"{file}: {size} bytes, too short for a safetensors file", hint=CUT)
    length = int.from_bytes(read(source, file, 0, LENGTH_BYTES), "little")
    if length > MAX_HEADER_BYTES:
        raise FormatError(
            f"{file}: the header claims {length:,} bytes, more than {MAX_HEADER_BYTES:,}",
            hint=f"the file is not safetensors, or is an attack; {RESAVE}",
        )
    if LENGTH_BYTES + length > size:
        raise FormatError(
            f"{file}: the header claims {length:,} bytes, the file has {size:,}", hint=CUT
        )
    return length


def _tensors(text: Text, base: int) -> list[Tensor]:
    found: list[Tensor] = []
    for name in text.members():
        if name == "__metadata__":
            _skip_metadata(text)
        else:
            found.append(_tensor(name, text, base))
    text.end()
    return found


def _skip_metadata(text: Text) -> None:
    """Texts by name, or null. They may be long, and nothing here depends on them."""
    if text.peek() == "n":
        text.value()
        return
    if text.peek() != "{":
        raise _malformed(f"{text.what}: __metadata__ must map names to text")
    for _ in text.members():
        if text.peek() != '"':
            raise _malformed(f"{text.what}: __metadata__ must map names to text")
        text.skip_text()


def _tensor(name: str, text: Text, base: int) -> Tensor:
    where, entry = f"{text.what}: tensor {name!r}", text.value()
    if not isinstance(entry, dict) or set(entry) != FIELDS:
        raise _malformed(f"{where}: expected dtype, shape and data_offsets, and nothing else")
    dtype, shape = entry["dtype"], _integers(entry["shape"], f"{where}: shape")
    if not isinstance(dtype, str) or dtype not in BITS:
        raise _malformed(f"{where}: unknown dtype {_shown(dtype)}")
    offsets = _integers(entry["data_offsets"], f"{where}: data_offsets")
    if len(offsets) != 2 or offsets[0] > offsets[1]:
        raise _malformed(f"{where}: data_offsets must be [begin, end] with begin ≤ end")
    begin, end = offsets
    bits = math.prod(shape) * BITS[dtype]
    if bits != (end - begin) * 8:
        size = f"{bits:,} bits" if bits % 8 else f"{bits // 8:,} bytes"
        raise _malformed(
            f"{where}: {dtype} {list(shape)} takes {size}, its range holds {end - begin:,} bytes"
        )
    shape = text.room.shape(shape, text.what)
    return Tensor(name, sys.intern(dtype), shape, text.what, base + begin, base + end)


def _integers(value: Any, where: str) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) > MAX_DIMENSIONS:
        raise _malformed(f"{where}: expected a list of at most {MAX_DIMENSIONS} integers")
    for item in value:
        if type(item) is not int or not 0 <= item <= _MAX_INTEGER:
            raise _malformed(f"{where}: {_shown(item)} is not a size")
    return tuple(value)


def _shown(value: Any) -> str:
    """A value for a message; of what may be nested too deeply to print, only what it is."""
    return type(value).__name__ if isinstance(value, dict | list) else repr(value)[:40]


def _check_layout(tensors: list[Tensor], file: str, base: int, size: int) -> None:
    position = base
    for tensor in tensors:
        if tensor.start != position:
            fault = "overlaps the one before" if tensor.start < position else "leaves a gap before"
            raise _malformed(f"{file}: tensor {tensor.name!r} {fault} it")
        position = tensor.stop
    if position > size:
        raise FormatError(
            f"{file}: the file ends before the last tensor: {size:,} of {position:,} bytes",
            hint=CUT,
        )
    if position < size:
        raise _malformed(f"{file}: {size - position:,} bytes follow the last tensor")


def _malformed(message: str) -> FormatError:
    return FormatError(message, hint=RESAVE)
