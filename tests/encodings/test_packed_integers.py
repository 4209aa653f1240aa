"""compressed-tensors: packed integers of 1 to 8 bits, and int8."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpcheck.encodings import decoded
from fpcheck.errors import FormatError
from tests.encodings.integers import (
    Arrays,
    Quantised,
    checkpoint,
    fault,
    int8,
    packed,
    quantised,
    values,
)

SAID = {"quant_method": "compressed-tensors", "format": "pack-quantized"}


def bits_of(*bits: int) -> dict[str, Any]:
    """Settings that name these widths, one group of modules each."""
    groups = {f"group_{b}": {"targets": ["Linear"], "weights": {"num_bits": b}} for b in bits}
    return {**SAID, "config_groups": groups}


def same(q: Quantised, tensors: Arrays, said: dict[str, Any]) -> bool:
    """Whether the module m decodes to just the values of q, and nothing is left over."""
    found, faults = decoded(checkpoint(tensors, said))
    assert faults == () and set(found.tensors) == {"m.weight"}
    return np.array_equal(values(found, "m.weight"), q.values)


def symmetric(q: Quantised) -> Quantised:
    """The same with the zero points that symmetric quantisation does not store."""
    return Quantised(q.bits, q.codes, q.scales, np.full_like(q.zeros, 2 ** (q.bits - 1)), q.group)


@settings(max_examples=60, deadline=None)
@given(
    bits=st.integers(1, 8),
    out=st.integers(1, 70),
    groups=st.integers(1, 4),
    size=st.sampled_from([33, 40, 64, 128]),
    zeros=st.sampled_from(["", "packed", "int8"]),
    seed=st.integers(0, 1000),
)
def test_every_value_of_packed_integers_is_that_of_the_definition(
    bits: int, out: int, groups: int, size: int, zeros: str, seed: int
) -> None:
    q = quantised(out, groups * size, bits=bits, size=size, seed=seed)
    q = q if zeros else symmetric(q)

    assert same(q, packed("m", q, zeros), bits_of(bits))


@settings(max_examples=40, deadline=None)
@given(out=st.integers(1, 40), groups=st.integers(1, 4), zeros=st.booleans())
def test_every_value_of_int8_is_that_of_the_definition(out: int, groups: int, zeros: bool) -> None:
    q = quantised(out, groups * 7, bits=8, size=7)
    q = q if zeros else symmetric(q)

    assert same(q, int8("m", q, zeros=zeros), SAID)


def test_one_scale_may_serve_a_row_or_the_matrix() -> None:
    q = symmetric(quantised(24, 32, bits=8, size=32))
    vector = int8("m", q) | {"m.weight_scale": q.scales[:, 0]}
    assert same(q, vector, SAID)

    one = np.full_like(q.scales, q.scales[0, 0])
    q = Quantised(8, q.codes, one, q.zeros, q.group)
    for scale in (one[0], one[:1], one[0, 0].reshape(())):
        assert same(q, int8("m", q) | {"m.weight_scale": scale}, SAID)
        assert same(q, packed("m", q) | {"m.weight_scale": scale}, bits_of(8))
    zero = np.zeros(1, "i1")
    assert same(q, int8("m", q) | {"m.weight_scale": one[0], "m.weight_zero_point": zero}, SAID)


def test_channels_may_belong_to_groups_in_any_order() -> None:
    q = quantised(40, 128, shuffled=True)
    tensors = packed("m", q, "packed") | {"m.weight_g_idx": q.group.astype("<i4")}
    assert same(q, tensors, SAID)

    unset = quantised(40, 128)
    tensors = packed("m", unset, "packed") | {"m.weight_g_idx": np.full(128, -1, "<i4")}
    assert same(unset, tensors, SAID)

    for wrong in (np.full(128, 9), np.arange(128) % 3, np.arange(128) % 4 - 1):
        tensors = packed("m", q, "packed") | {"m.weight_g_idx": wrong.astype("<i4")}
        found, _ = decoded(checkpoint(tensors, SAID))
        with pytest.raises(FormatError, match="weight_g_idx"):
            values(found, "m.weight")


def test_an_order_that_is_stated_and_not_stored_is_refused() -> None:
    said = {**SAID, "config_groups": {"g": {"weights": {"num_bits": 4, "actorder": "group"}}}}

    assert "weight_g_idx is missing" in fault(packed("m", quantised(32, 64), "packed"), said)
    one = quantised(32, 64, size=64)
    assert same(one, packed("m", one, "packed"), said)


def test_blocks_of_a_wide_matrix_take_part_of_the_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fpcheck.encodings.output_major.BLOCK", 64)
    for bits in (3, 4, 8):
        q = quantised(70, 160, bits=bits)
        assert same(q, packed("m", q, "packed"), bits_of(bits))
        assert same(q, packed("m", q, "int8"), bits_of(bits))
    q = quantised(70, 160, bits=8)
    assert same(q, int8("m", q, zeros=True), SAID)


def test_bits_are_those_that_shapes_and_settings_both_allow() -> None:
    q = symmetric(quantised(8, 64))

    assert same(q, packed("m", q), SAID)
    assert same(q, packed("m", q), bits_of(8, 4))
    assert "of 8 bits" in fault(packed("m", q), bits_of(8))
    few = symmetric(quantised(8, 4, bits=4, size=4))  # one word holds 4 codes of any width
    assert same(few, packed("m", few), bits_of(4))
    assert "some bits" in fault(packed("m", few), SAID)


def test_what_does_not_fit_is_refused_in_words() -> None:
    q = quantised(32, 64)
    good = packed("m", q, "packed")
    wrong: dict[str, dict[str, Any]] = {
        "weight_scale is missing": {"m.weight_scale": None},
        "weight_shape is missing": {"m.weight_shape": None},
        "weight_shape has shape [3]": {"m.weight_shape": np.array([32, 64, 1])},
        "weight_shape is stored as F32": {"m.weight_shape": np.ones(2, "<f4")},
        "do not hold 32 × 2000": {"m.weight_shape": np.array([32, 2000])},
        "do not hold 31 × 64": {"m.weight_shape": np.array([31, 64])},
        "do not hold -32 × 64": {"m.weight_shape": np.array([-32, 64])},
        "do not hold 32 × 0": {"m.weight_shape": np.array([32, 0])},
        "cannot make 3 groups": {"m.weight_scale": np.ones((32, 3), "<f2")},
        "weight_scale has shape [16, 2]": {"m.weight_scale": q.scales[:16]},
        "weight_scale has shape [2, 2, 16]": {"m.weight_scale": np.ones((2, 2, 16), "<f2")},
        "weight_zero_point has shape [32, 2]": {"m.weight_zero_point": np.ones((32, 2), "<i4")},
        "weight_zero_point is stored as F16": {"m.weight_zero_point": q.scales},
        "g_idx has shape [5]": {"m.weight_g_idx": np.zeros(5, "<i4")},
        "stored twice": {"m.weight": np.ones((32, 64), "<f2")},
    }
    for reason, change in wrong.items():
        tensors = {name: t for name, t in (good | change).items() if t is not None}
        assert reason in fault(tensors, SAID), reason
    assert "names no method" in fault(good)
    assert "is 'aqlm'" in decoded(checkpoint(good, {"quant_method": "aqlm"}))[1][0]


@settings(max_examples=80, deadline=None)
@given(
    shape=st.tuples(*2 * [st.sampled_from([-1, 0, 1, 7, 32, 40, 64, 2**20 + 1, 2**62])]),
    codes=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    scales=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    zeros=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    bits=st.sampled_from([[], [4], [4, 8], [0], [-3], [True], [2**70]]),
)
def test_nothing_hostile_is_more_than_a_fault(
    shape: tuple[int, int],
    codes: tuple[int, int],
    scales: tuple[int, int],
    zeros: tuple[int, int],
    bits: list[int],
) -> None:
    for dtype in ("<i4", "i1"):
        tensors = {
            "m.weight_packed": np.ones(codes, "<i4"),
            "m.weight_shape": np.array(shape, "<i8"),
            "m.weight_scale": np.ones(scales, "<f2"),
            "m.weight_zero_point": np.ones(zeros, dtype),
        }
        found, faults = decoded(checkpoint(tensors, bits_of(*[b for b in bits if b < 2**60])))
        assert bool(faults) is (found.tensors["m.weight"].coding is None)
        if not faults:
            with contextlib.suppress(FormatError):
                values(found, "m.weight")
