"""Finding bitsandbytes' NF4 and FP4 matrices: `<name>` and what is stored under `<name>.`.

A matrix of shape [out, in] is stored as a column of bytes, or of what `bnb_4bit_quant_storage`
names, so that only its quant_state tells the shape.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from fpcheck.checkpoint import Checkpoint, Tensor
from fpcheck.encodings.collecting import Collection
from fpcheck.encodings.found import Found
from fpcheck.encodings.four_bits import MAP_BYTES, TABLES, WIDE, FourBits
from fpcheck.encodings.quant_state import MAX_BYTES, Nested, parse_state
from fpcheck.encodings.settings import no_method
from fpcheck.encodings.small_reads import contents
from fpcheck.errors import FormatError

STATE = "quant_state.bitsandbytes__"
ABSMAX, NESTED_ABSMAX, NESTED_MAP = "absmax", "nested_absmax", "nested_quant_map"
STATES = tuple(STATE + kind for kind in TABLES)
METHODS, FLAG = frozenset({"bitsandbytes"}), "load_in_4bit"
PARTS = (ABSMAX, NESTED_ABSMAX, NESTED_MAP, "quant_map", *STATES)
Parts = Mapping[str, Tensor]


def bitsandbytes_4bit(checkpoint: Checkpoint) -> Found:
    """The matrices in 4 bits."""
    found = Collection()
    tensors = checkpoint.tensors
    names = sorted({name.rpartition("." + part)[0] for name in tensors for part in _ends(name)})
    matrices = [(tensors[name], _parts(name, tensors)) for name in names if name in tensors]
    states = [part for _, parts in matrices for key, part in parts.items() if STATE in key]
    read = contents(checkpoint.source, states, MAX_BYTES)
    fault = no_method(checkpoint, METHODS, FLAG) if matrices else ""
    for codes, parts in matrices:
        try:
            coding = _coding(codes, parts, read)
            _refuse(fault)
        except (FormatError, ValueError) as error:
            found.refuse(codes, str(error), parts.values())
        else:
            found.add(codes.name, coding, coding.state.shape, parts.values())
    return found.found()


def _refuse(fault: str) -> None:
    """Raise ValueError for a fault."""
    if fault:
        raise ValueError(fault)


def _ends(name: str) -> list[str]:
    """The parts that a name ends with and by which a matrix in 4 bits is known."""
    return [part for part in (ABSMAX, *STATES) if name.endswith("." + part)]


def _parts(name: str, tensors: Mapping[str, Tensor]) -> Parts:
    places = {part: f"{name}.{part}" for part in PARTS}
    return {part: tensors[place] for part, place in places.items() if place in tensors}


def _coding(codes: Tensor, parts: Parts, read: Mapping[str, bytes]) -> FourBits:
    """How the codes are to be read. Raises FormatError and ValueError when they cannot be."""
    kinds = [kind for kind in TABLES if STATE + kind in parts]
    if len(kinds) != 1 or parts[STATE + kinds[0]].name not in read:
        raise ValueError("it has no quant_state that says how its 4-bit codes are to be read")
    state = parse_state(read[parts[STATE + kinds[0]].name], kinds[0])
    if len(codes.shape) != 2 or 1 not in codes.shape:
        raise ValueError(f"4-bit codes are a column, not {list(codes.shape)} of {codes.dtype}")
    elements = math.prod(state.shape)
    if codes.stop - codes.start != (elements + 1) // 2:
        held, shape = f"{codes.stop - codes.start:,} bytes", list(state.shape)
        raise ValueError(f"{held} of 4-bit codes are no matrix of {shape}")
    blocks = -(-elements // state.size)
    if state.nested is None:
        _check(parts, ABSMAX, tuple(WIDE), blocks)
        return FourBits(kinds[0], codes, state, parts[ABSMAX])
    nested = _nested(parts, state.nested, blocks)
    return FourBits(kinds[0], codes, state, parts[ABSMAX], nested)


def _nested(parts: Parts, nested: Nested, blocks: int) -> tuple[Tensor, Tensor]:
    _check(parts, ABSMAX, ("U8",), blocks)
    _check(parts, NESTED_ABSMAX, ("F32",), -(-blocks // nested.size))
    _check(parts, NESTED_MAP, ("F32",), MAP_BYTES // 4)
    return parts[NESTED_ABSMAX], parts[NESTED_MAP]


def _check(parts: Parts, part: str, dtypes: tuple[str, ...], count: int) -> None:
    found = parts.get(part)
    if found is None or found.dtype not in dtypes or found.count != count:
        kept = f"{found.dtype} {list(found.shape)}" if found else "missing"
        raise ValueError(f"{part} is {kept}, not {count:,} of {' or '.join(dtypes)}")
