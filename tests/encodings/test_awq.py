"""AWQ's GEMM and GEMV versions, and the kernels' own packings that are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpcheck.encodings import decoded
from tests.encodings.integers import (
    Arrays,
    Quantised,
    awq,
    checkpoint,
    fault,
    gemv,
    gptq,
    quantised,
    values,
)

GEMM = {"quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemm", "zero_point": True}
GEMV = {**GEMM, "version": "GEMV"}


def same(q: Quantised, tensors: Arrays, said: dict[str, Any], **files: Any) -> bool:
    """Whether the module m decodes to just the values of q, and nothing is left over."""
    found, faults = decoded(checkpoint(tensors, said, **files))
    assert faults == () and set(found.tensors) == {"m.weight"}
    return np.array_equal(values(found, "m.weight"), q.values)


@settings(max_examples=40, deadline=None)
@given(
    out=st.integers(1, 9),
    groups=st.integers(1, 5),
    size=st.sampled_from([16, 32, 128]),
    seed=st.integers(0, 1000),
)
def test_every_value_of_gemm_is_that_of_the_definition(
    out: int, groups: int, size: int, seed: int
) -> None:
    q = quantised(8 * out, groups * size, size=size, seed=seed)

    assert same(q, awq("m", q), {**GEMM, "group_size": size})


@settings(max_examples=40, deadline=None)
@given(out=st.integers(1, 9), groups=st.integers(1, 20), size=st.sampled_from([32, 64, 128, -1]))
def test_every_value_of_gemv_is_that_of_the_definition(out: int, groups: int, size: int) -> None:
    own = 48 if size == -1 else size
    channels = 48 if size == -1 else groups * size
    q = quantised(8 * out, channels, size=own)
    filled = {32: 4, 64: 2}.get(size, 1)
    width = -(-(channels // own) // 8)
    width = -(-width // filled) * filled

    assert same(q, gemv("m", q, width), {**GEMV, "group_size": size})


def test_blocks_of_a_wide_matrix_take_part_of_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fpcheck.encodings.input_major.BLOCK", 64)
    monkeypatch.setattr("fpcheck.encodings.output_major.BLOCK", 64)
    q = quantised(160, 96)

    assert same(q, awq("m", q), GEMM)
    assert same(q, gemv("m", q, 4), GEMV)


def test_settings_are_found_wherever_tools_put_them() -> None:
    q = quantised(16, 64)
    old = {"w_bit": 4, "q_group_size": 32, "zero_point": True, "version": "GEMM"}

    assert same(q, awq("m", q), {"quant_method": "awq"})
    assert same(q, awq("m", q), {}, quant_config=old)
    assert same(q, awq("m", q), {}, quantize_config={"quant_method": "awq", "format": "gemm"})
    assert same(q, awq("m", q), {**GEMM, "version": "exllama"})
    auto_round = {"quant_method": "auto-round", "packing_format": "auto_round:auto_awq"}
    assert same(q, awq("m", q), auto_round)


def test_shapes_decide_between_gptq_and_awq_where_no_method_is_named() -> None:
    q = quantised(32, 64)
    said = {"bits": 4, "group_size": 32}

    assert same(q, awq("m", q), said)
    assert same(q, gptq("m", q), said)


def test_what_does_not_fit_is_refused_in_words() -> None:
    q = quantised(32, 64)
    good = awq("m", q)

    assert "not as in AWQ's GEMV" in fault(good, GEMV)
    assert "not as in GPTQ" in fault(good, {"quant_method": "gptq"})
    assert "no quantization_config" in fault(good)
    assert "8 bits" in fault(good, {**GEMM, "bits": 8})
    assert "group size of None" in fault(good, {"quant_method": "awq", "version": "gemv"})
    assert "groups" in fault(
        {**good, "m.scales": good["m.scales"][[0] * 3], "m.qzeros": good["m.qzeros"][[0] * 3]},
        GEMM,
    )
    for tail in ("qzeros", "scales"):
        less = {name: tensor for name, tensor in good.items() if not name.endswith(tail)}
        assert f"{tail} is missing" in fault(less, GEMM)
    for version in ("marlin", "gemv_fast", "llm-awq"):
        reason = fault(good, {**GEMM, "version": version})
        assert repr(version) in reason and "release the unquantised weights" in reason


def test_codes_of_another_width_are_refused() -> None:
    tensors = {
        "m.qweight": np.zeros((8, 64), "<i2"),
        "m.qzeros": np.zeros((8, 32), "<f2"),
        "m.scales": np.zeros((8, 32), "<f2"),
    }

    assert "'gemv_fast'" in fault(tensors, {**GEMM, "version": "gemv_fast"})
    assert "stored as I16" in fault(tensors, GEMM)
