"""Stored elements as float64, exactly: every value of the measured dtypes is a float64."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpcheck.encodings import small_floats

Stored = NDArray[Any]  # elements as the file holds them, in the type that STORED names
Doubles = NDArray[np.float64]

# The numpy type that holds an element's bits. Where numpy lacks the dtype, an integer does.
STORED: Mapping[str, np.dtype[Any]] = MappingProxyType(
    {
        "F64": np.dtype("<f8"),
        "F32": np.dtype("<f4"),
        "F16": np.dtype("<f2"),
        "BF16": np.dtype("<u2"),
        "F8_E4M3": np.dtype("u1"),
        "F8_E5M2": np.dtype("u1"),
    }
)


def decode(stored: Stored, dtype: str, out: Doubles) -> None:
    """Write the values of stored elements to `out`, which has their shape."""
    if dtype in TABLES:
        np.take(TABLES[dtype], stored, out=out, mode="clip")  # the default mode copies `out`
    elif dtype == "BF16":
        np.copyto(out, (stored.astype("<u4") << 16).view("<f4"))  # the upper half of a float32
    else:
        np.copyto(out, stored)


TABLES: Mapping[str, Doubles] = MappingProxyType(
    {name: small_floats.TABLES[name].astype(np.float64) for name in ("F8_E4M3", "F8_E5M2")}
)
