"""The tables of small floats against ml_dtypes, code by code."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from fpcheck.encodings.small_floats import E2M1, TABLES, pairs, singles

KINDS = {
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
    "F8_E8M0": ml_dtypes.float8_e8m0fnu,
    "U8": ml_dtypes.float8_e8m0fnu,
}


@pytest.mark.parametrize("dtype", TABLES)
def test_every_code_of_eight_bits(dtype: str) -> None:
    expected = np.arange(256, dtype=np.uint8).view(KINDS[dtype]).astype(np.float32)

    np.testing.assert_array_equal(TABLES[dtype], expected)
    assert (np.signbit(TABLES[dtype]) == np.signbit(expected))[~np.isnan(expected)].all()


def test_every_pair_of_four_bits() -> None:
    codes = np.arange(256, dtype=np.uint8)
    low, high = (
        c.view(ml_dtypes.float4_e2m1fn).astype(np.float32) for c in (codes & 15, codes >> 4)
    )

    for low_first, expected in ((True, (low, high)), (False, (high, low))):
        found = pairs(E2M1, low_first=low_first)[codes].view(np.float32).reshape(256, 2)
        np.testing.assert_array_equal(found, np.stack(expected, axis=1))


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F32"])
def test_wider_scales(dtype: str) -> None:
    kind = {"F16": np.float16, "BF16": ml_dtypes.bfloat16, "F32": np.float32}[dtype]
    numbers = np.array([0, 1, -2.5, 1e-3, 6e4], np.float32).astype(kind)

    np.testing.assert_array_equal(singles(numbers.tobytes(), dtype), numbers.astype(np.float32))
