"""Stored bits become the values they stand for, all of them."""

from __future__ import annotations

import numpy as np
import pytest

from fpcheck.checkpoint.dtypes import BITS, MEASURABLE
from fpcheck.signature.decode import STORED, decode
from tests.signature.samples import worths


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F8_E4M3", "F8_E5M2"])
def test_every_code_has_the_value_of_its_definition(dtype: str) -> None:
    size = STORED[dtype].itemsize
    codes = np.arange(1 << 8 * size, dtype=f"<u{size}").view(STORED[dtype])
    values = np.empty(codes.size)

    with np.errstate(invalid="ignore"):
        decode(codes, dtype, values)

    np.testing.assert_array_equal(values, worths(codes, dtype))


@pytest.mark.parametrize("dtype", ["F32", "F64"])
def test_numpys_own_dtypes_keep_every_digit(dtype: str) -> None:
    kept = np.array([0.1, -1e-45, 3.4e38, 1 / 3]).astype(STORED[dtype])
    values = np.empty(kept.size)

    decode(kept, dtype, values)

    assert values.tolist() == kept.tolist()


def test_every_measurable_dtype_can_be_decoded() -> None:
    assert set(STORED) == MEASURABLE
    assert all(STORED[dtype].itemsize * 8 == BITS[dtype] for dtype in STORED)
