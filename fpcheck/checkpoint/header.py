"""The header of one safetensors file, checked before anything else is believed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from fpcheck.checkpoint.dtypes import BITS
from fpcheck.checkpoint.strict_json import parse_object
from fpcheck.errors import FormatError
from fpcheck.source import Source, read

LENGTH_BYTES = 8
MAX_HEADER_BYTES = 100_000_000  # the safetensors library's own limit
# The largest released mixtures of experts hold about 140,000 tensors in all their shards; a table
# much longer than that is a memory bomb.
MAX_TENSORS = 250_000
MAX_DIMENSIONS = 32  # numpy of old; no weight comes near
_MAX_INTEGER = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Tensor:
    """One named array in a shard: bytes `start:stop` of `file`, row-major, little-endian."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: str
    start: int
    stop: int

    @property
    def count(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


def parse_header(source: Source, file: str) -> tuple[Tensor, ...]:
    """The tensors of one safetensors file, in the order of their bytes.

    Holds the file to the format's rules: every tensor fills its byte range exactly, the ranges
    cover the data without overlap, gap or trailing bytes. Raises FormatError.
    """
    size = source.files()[file].size
    length = _header_length(source, file, size)
    fields = parse_object(_header_bytes(source, file, length), file)
    _check_metadata(fields.pop("__metadata__", None), file)
    if len(fields) > MAX_TENSORS:
        raise FormatError(f"{file}: {len(fields):,} tensors, more than {MAX_TENSORS:,}")
    base = LENGTH_BYTES + length
    tensors = [_tensor(name, entry, file, base) for name, entry in fields.items()]
    tensors.sort(key=lambda tensor: (tensor.start, tensor.stop))
    _check_layout(tensors, file, base, size)
    return tuple(tensors)


def _header_length(source: Source, file: str, size: int) -> int:
    if size < LENGTH_BYTES:
        raise FormatError(
            f"{file}: {size} bytes, too short for a safetensors file",
            hint="a git-lfs pointer or an interrupted download looks like this",
        )
    length = int.from_bytes(read(source, file, 0, LENGTH_BYTES), "little")
    if length > MAX_HEADER_BYTES:
        raise FormatError(
            f"{file}: the header claims {length:,} bytes, more than {MAX_HEADER_BYTES:,}",
            hint="the file is not safetensors, or is an attack",
        )
    if LENGTH_BYTES + length > size:
        raise FormatError(f"{file}: the header claims {length:,} bytes, the file has {size:,}")
    return length


def _header_bytes(source: Source, file: str, length: int) -> bytearray:
    content = read(source, file, LENGTH_BYTES, LENGTH_BYTES + length)
    # Counted before parsing, because a parsed table takes many times the memory of its text.
    if content.count(b'"dtype"') > MAX_TENSORS:
        raise FormatError(f"{file}: more than {MAX_TENSORS:,} tensors")
    return content


def _check_metadata(metadata: Any, file: str) -> None:
    if metadata is None:
        return
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise FormatError(f"{file}: __metadata__ must map names to text")


def _tensor(name: str, entry: Any, file: str, base: int) -> Tensor:
    where = f"{file}: tensor {name!r}"
    if not isinstance(entry, dict):
        raise FormatError(f"{where}: expected dtype, shape and data_offsets")
    dtype, shape = entry.get("dtype"), _integers(entry.get("shape"), f"{where}: shape")
    if not isinstance(dtype, str) or dtype not in BITS:
        raise FormatError(f"{where}: unknown dtype {str(dtype)[:40]!r}")
    offsets = _integers(entry.get("data_offsets"), f"{where}: data_offsets")
    if len(offsets) != 2 or offsets[0] > offsets[1]:
        raise FormatError(f"{where}: data_offsets must be [begin, end] with begin ≤ end")
    begin, end = offsets
    if math.prod(shape) * BITS[dtype] != (end - begin) * 8:
        raise FormatError(
            f"{where}: {dtype} {list(shape)} takes {math.prod(shape) * BITS[dtype] / 8:,.12g} "
            f"bytes, its range holds {end - begin:,}"
        )
    return Tensor(name, dtype, shape, file, base + begin, base + end)


def _integers(value: Any, where: str) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) > MAX_DIMENSIONS:
        raise FormatError(f"{where}: expected a list of at most {MAX_DIMENSIONS} integers")
    for item in value:
        if type(item) is not int or not 0 <= item <= _MAX_INTEGER:
            raise FormatError(f"{where}: {str(item)[:40]!r} is not a size")
    return tuple(value)


def _check_layout(tensors: list[Tensor], file: str, base: int, size: int) -> None:
    position = base
    for tensor in tensors:
        if tensor.start != position:
            fault = "overlaps the one before" if tensor.start < position else "leaves a gap before"
            raise FormatError(f"{file}: tensor {tensor.name!r} {fault} it")
        position = tensor.stop
    if position != size:
        fault = f"{size - position:,} bytes follow" if position < size else "the file ends before"
        raise FormatError(f"{file}: {fault} the last tensor")
