"""The dtypes of the safetensors format: how many bits an element takes, and which carry weights."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# Every dtype that safetensors 0.8 accepts in a header.
BITS: Mapping[str, int] = MappingProxyType(
    {
        "BOOL": 8,
        "F4": 4,
        "F6_E2M3": 6,
        "F6_E3M2": 6,
        "U8": 8,
        "I8": 8,
        "F8_E5M2": 8,
        "F8_E4M3": 8,
        "F8_E8M0": 8,
        "F8_E4M3FNUZ": 8,
        "F8_E5M2FNUZ": 8,
        "I16": 16,
        "U16": 16,
        "F16": 16,
        "BF16": 16,
        "I32": 32,
        "U32": 32,
        "F32": 32,
        "C64": 64,
        "F64": 64,
        "I64": 64,
        "U64": 64,
    }
)

# Those whose stored value is the weight itself. An integer or a 4-bit code means nothing without
# its scales, so its standard deviation would be a number about the encoding, not the model.
MEASURABLE = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
