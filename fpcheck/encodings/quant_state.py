"""What bitsandbytes writes of a 4-bit matrix: a JSON object in the bytes of a tensor. Untrusted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from fpcheck.checkpoint.strict_json import parse_object

MAX_BYTES = 4096  # it takes some 200
BLOCK_SIZES = frozenset({32, 64, 128, 256, 512, 1024, 2048, 4096})  # what bitsandbytes decodes
MAX_NESTED = 1 << 20
_MAX_FLOAT32 = 3.4028234663852886e38


@dataclass(frozen=True, slots=True)
class Nested:
    """How scales are themselves quantised: in blocks of so many, with what is added to all."""

    size: int
    offset: float


@dataclass(frozen=True, slots=True)
class QuantState:
    """The shape of the matrix, how many elements share a scale, and how scales are stored."""

    shape: tuple[int, int]
    size: int
    nested: Nested | None


def parse_state(content: bytes, kind: str) -> QuantState:
    """The state of a matrix of one kind, nf4 or fp4. Raises FormatError and ValueError."""
    found = parse_object(content, "its quant_state")
    if found.get("quant_type", kind) != kind:
        raise ValueError(f"its quant_state is that of another kind than {kind}")
    size = found.get("blocksize")
    if type(size) is not int or size not in BLOCK_SIZES:
        raise ValueError("its quant_state has no blocksize that bitsandbytes reads")
    return QuantState(_shape(found.get("shape")), size, _nested(found))


def _shape(value: Any) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError("its quant_state has no shape of a matrix")
    rows, columns = value
    if type(rows) is not int or type(columns) is not int or rows < 1 or columns < 1:
        raise ValueError("its quant_state has no shape of a matrix")
    return rows, columns


def _nested(found: dict[str, Any]) -> Nested | None:
    keys = ("nested_blocksize", "nested_offset")
    if all(found.get(key) is None for key in keys):
        return None
    size, offset = (found.get(key) for key in keys)
    if type(size) is not int or not 0 < size <= MAX_NESTED or size & (size - 1):
        raise ValueError("its quant_state has a nested_blocksize that is no power of two")
    if type(offset) not in (int, float) or not _is_single(offset):
        raise ValueError("its quant_state has a nested_offset that is no number")
    return Nested(size, float(offset))  # type: ignore[arg-type]  # a number, as was just seen


def _is_single(value: Any) -> bool:
    return math.isfinite(value) and abs(value) <= _MAX_FLOAT32
