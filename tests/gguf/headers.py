"""GGUF headers made byte by byte, right or wrong as a test wants."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

from gguf.constants import GGUFValueType as Type

MAGIC = b"GGUF"
FORMATS = {
    Type.UINT8: "<B",
    Type.UINT16: "<H",
    Type.UINT32: "<I",
    Type.INT32: "<i",
    Type.UINT64: "<Q",
    Type.FLOAT32: "<f",
    Type.BOOL: "<?",
}


class Entry(NamedTuple):
    """One tensor of a header; `sizes` from the fastest dimension on, as ggml writes them."""

    name: str = "blk.0.attn_q.weight"
    sizes: tuple[int, ...] = (32, 2)
    kind: int = 0  # F32
    offset: int = 0


def text(content: str | bytes) -> bytes:
    """A length and as many bytes."""
    raw = content if isinstance(content, bytes) else content.encode()
    return struct.pack("<Q", len(raw)) + raw


def number(key: str, value: float, kind: Type = Type.UINT32) -> bytes:
    """A key with a number."""
    return text(key) + struct.pack("<I", kind) + struct.pack(FORMATS[kind], value)


def words(key: str, value: str) -> bytes:
    """A key with a text."""
    return text(key) + struct.pack("<I", Type.STRING) + text(value)


def array(key: str, kind: int, count: int, content: bytes = b"") -> bytes:
    """A key with a list of so many values of a type, whatever the content holds."""
    return text(key) + struct.pack("<IIQ", Type.ARRAY, kind, count) + content


def entry(tensor: Entry) -> bytes:
    """What a header says of a tensor."""
    sizes = struct.pack(f"<I{len(tensor.sizes)}Q", len(tensor.sizes), *tensor.sizes)
    return text(tensor.name) + sizes + struct.pack("<IQ", tensor.kind, tensor.offset)


def gguf(
    keys: Iterable[bytes] = (),
    tensors: Iterable[Entry | bytes] = (),
    data: bytes = b"",
    *,
    version: int = 3,
    counts: tuple[int, int] | None = None,
    alignment: int = 32,
) -> bytes:
    """A whole file; `counts` of tensors and of keys where they are to be others."""
    keys = list(keys)
    entries = [entry(t) if isinstance(t, Entry) else t for t in tensors]
    stated = counts or (len(entries), len(keys))
    header = MAGIC + struct.pack("<IQQ", version, *stated) + b"".join(keys + entries)
    return header + bytes(-len(header) % alignment) + data
