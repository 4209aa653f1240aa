"""GPTQ's packing, both formats of zero points, and every order of channels."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpcheck.check import fingerprint
from fpcheck.encodings import decoded
from fpcheck.errors import FormatError
from fpcheck.layouts import Role
from fpcheck.source.local import LocalSource
from tests.encodings import integers
from tests.encodings.integers import Quantised, checkpoint, fault, gptq, quantised, values

V1 = {"quant_method": "gptq", "bits": 4, "group_size": 32, "desc_act": False}
V2 = {**V1, "checkpoint_format": "gptq_v2"}


def same(q: Quantised, tensors: integers.Arrays, said: dict[str, Any], **files: Any) -> bool:
    """Whether the module m decodes to just the values of q, and nothing is left over."""
    found, faults = decoded(checkpoint(tensors, said, **files))
    assert faults == () and set(found.tensors) == {"m.weight"}
    return np.array_equal(values(found, "m.weight"), q.values)


@settings(max_examples=60, deadline=None)
@given(
    bits=st.sampled_from([2, 3, 4, 8]),
    out=st.integers(1, 3),
    groups=st.integers(1, 5),
    size=st.sampled_from([32, 64, 128]),
    less_one=st.booleans(),
    shuffled=st.booleans(),
    order=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_every_value_is_that_of_the_definition(
    bits: int,
    out: int,
    groups: int,
    size: int,
    less_one: bool,
    shuffled: bool,
    order: bool,
    seed: int,
) -> None:
    q = quantised(
        32 * out, groups * size, bits=bits, size=size, seed=seed, shuffled=shuffled and order
    )
    said = {**(V1 if less_one else V2), "bits": bits, "group_size": size}

    assert same(q, gptq("m", q, less_one=less_one, order=order), said)


@pytest.mark.parametrize("size", [96, -1])
def test_the_last_group_may_be_smaller_or_the_only_one(size: int) -> None:
    q = quantised(32, 160, size=160 if size == -1 else size)

    assert same(q, gptq("m", q, order=False), {**V1, "group_size": size})


def test_shapes_decide_where_the_settings_are_silent_or_wrong() -> None:
    for said in ({"quant_method": "gptq"}, {**V1, "bits": 8, "group_size": 128}):
        for bits in (2, 3, 4, 8):
            q = quantised(64, 64, bits=bits)
            assert same(q, gptq("m", q), said)


def test_settings_may_lie_beside_the_config() -> None:
    q = quantised(32, 64)
    old = {"bits": 4, "group_size": 32, "desc_act": False}

    assert same(q, gptq("m", q), {}, quantize_config=old)
    v2 = gptq("m", q, less_one=False)
    assert same(q, v2, V1, quantize_config={**old, "checkpoint_format": "gptq_v2"})


def test_auto_round_packs_as_gptq_does() -> None:
    q = quantised(32, 64)
    for name, less_one in (("auto_gptq", True), ("gptqmodel", False)):
        said = {"quant_method": "auto-round", "packing_format": f"auto_round:{name}", "bits": 4}
        assert same(q, gptq("m", q, less_one=less_one), said)


@pytest.mark.parametrize("scale", ["<f4", "<u2"])
def test_scales_of_any_width_are_exact(scale: str) -> None:
    q = quantised(32, 64)
    if scale == "<f4":
        exact = q.scales.astype("<f4") * np.float32(1 + 2**-20)
        stored = exact
    else:
        stored = (q.scales.astype("<f4").view("<u4") >> 16).astype("<u2")
        exact = (stored.astype("<u4") << 16).view("<f4")
    q = Quantised(q.bits, q.codes, exact, q.zeros, q.group)

    assert same(q, gptq("m", q) | {"m.scales": stored.T}, V1)


def test_a_zero_point_of_0_borrows_from_the_next_as_gptqmodel_writes_it() -> None:
    q = quantised(32, 64)
    q.zeros[3] = 0  # of four bits; less one, it takes one from the next field
    tensors = gptq("m", q, less_one=False)
    tensors["m.qzeros"] = (tensors["m.qzeros"].view("<u4") - np.uint32(0x11111111)).view("<i4")

    assert same(q, tensors, V1)


def test_blocks_of_a_wide_matrix_take_part_of_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    for bits in (2, 3, 4, 8):
        q = quantised(160, 96, bits=bits, shuffled=True)
        monkeypatch.setattr("fpcheck.encodings.input_major.BLOCK", 2048)
        monkeypatch.setattr("fpcheck.encodings.input_major.SPREAD", 64)
        assert same(q, gptq("m", q), V1)


def test_the_order_of_channels_is_checked_where_it_is_read() -> None:
    q = quantised(32, 64, shuffled=True)
    for wrong in (np.full(64, 2), np.full(64, -1), np.zeros(64)):
        tensors = gptq("m", q) | {"m.g_idx": wrong.astype("<i4")}
        found, _ = decoded(checkpoint(tensors, V1))
        with pytest.raises(FormatError, match="g_idx"):
            values(found, "m.weight")


def without(tensors: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in tensors.items() if key != name}


def test_what_does_not_fit_is_refused_in_words() -> None:
    q = quantised(32, 64)
    good = gptq("m", q)
    wrong = {
        "qzeros is missing": without(good, "m.qzeros"),
        "scales is missing": without(good, "m.scales"),
        "scales have shape": good | {"m.scales": q.scales},
        "no width, or of several": good | {"m.qzeros": good["m.qzeros"][:, :2]},
        "qzeros have shape": good | {"m.qzeros": good["m.qzeros"][:1]},
        "g_idx is stored as I64": good | {"m.g_idx": good["m.g_idx"].astype("<i8")},
        "no width": good | {"m.g_idx": good["m.g_idx"][:5]},
        "stored twice": good | {"m.weight": np.ones((32, 64), "<f2")},
        "scales is stored as I8": good | {"m.scales": q.scales.T.astype("i1")},
    }
    for reason, tensors in wrong.items():
        assert reason in fault(tensors, V1), reason


def test_settings_that_say_nothing_or_two_things_are_refused() -> None:
    good = gptq("m", quantised(32, 64))

    assert "no quantization_config" in fault(good)
    assert "different things" in fault(good, V2, quantize_config={"checkpoint_format": "gptq"})
    assert "'marlin'" in fault(good, {**V1, "checkpoint_format": "marlin"})
    assert "'marlin'" in fault(good, {**V1, "is_marlin_format": True})
    assert "no integer" in fault(good, {**V1, "bits": "4"})
    assert "method is 'bitsandbytes'" in fault(good, {"quant_method": "bitsandbytes"})
    assert "no text" in fault(good, {**V1, "checkpoint_format": 2})
    assert "'auto_round:new'" in fault(
        good, {"quant_method": "auto-round", "packing_format": "auto_round:new"}
    )
    unordered = without(good, "m.g_idx")
    assert "g_idx is missing" in fault(unordered, {**V1, "desc_act": True})
    assert "AWQ's GEMM" in fault(good, {"quant_method": "awq"})


def test_many_refusals_for_one_reason_are_one() -> None:
    q = quantised(32, 64)
    tensors = without(gptq("m", q) | gptq("n", q), "m.scales")

    assert fault(without(tensors, "n.scales"), V1) == (
        "m.weight: scales is missing (and so for 1 more)"
    )


@settings(max_examples=80, deadline=None)
@given(
    shapes=st.fixed_dictionaries(
        {
            "qweight": st.tuples(st.integers(0, 9), st.integers(0, 40)),
            "qzeros": st.tuples(st.integers(0, 3), st.integers(0, 9)),
            "scales": st.tuples(st.integers(0, 3), st.integers(0, 40)),
            "g_idx": st.tuples(st.integers(0, 70)),
        }
    ),
    said=st.fixed_dictionaries(
        {
            "quant_method": st.sampled_from(["gptq", "awq", "auto-round", 3, None]),
            "bits": st.sampled_from([0, -1, 3, 4, 8, 2**19, None, True, "4", []]),
            "group_size": st.sampled_from([0, -1, -2, 1, 32, None, 2**19]),
            "version": st.sampled_from([None, "gemv", "GEMM", {}]),
        }
    ),
    word=st.integers(-(2**31), 2**31 - 1),
)
def test_nothing_hostile_is_more_than_a_fault(
    shapes: dict[str, tuple[int, ...]], said: dict[str, Any], word: int
) -> None:
    tensors: dict[str, np.ndarray] = {
        f"m.{tail}": np.full(shape, word, "<i4") if tail != "scales" else np.ones(shape, "<f2")
        for tail, shape in shapes.items()
    }
    found, faults = decoded(checkpoint(tensors, said))

    assert bool(faults) is (found.tensors["m.weight"].coding is None)
    if not faults:
        with contextlib.suppress(FormatError):
            values(found, "m.weight")


def test_a_fused_projection_is_measured_by_role(tmp_path: Path) -> None:
    """Phi-3: q, k and v in one tensor, with fewer heads for k and v, coded in blocks."""
    tensors: dict[str, np.ndarray] = {}
    wanted = []
    for layer in range(2):
        fused = quantised(128, 64, seed=layer, shuffled=True, spread=0.01 * (layer + 1))
        output = quantised(64, 64, seed=9 + layer)
        tensors |= gptq(f"model.layers.{layer}.self_attn.qkv_proj", fused)
        tensors |= gptq(f"model.layers.{layer}.self_attn.o_proj", output)
        q, k, v = np.split(fused.values, [64, 96])
        wanted.append({Role.Q: q, Role.K: k, Role.V: v, Role.O: output.values})
    config = {
        "model_type": "phi3",
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "hidden_size": 64,
        "quantization_config": V1,
    }
    integers.write(tmp_path, tensors, config)
    with LocalSource(tmp_path) as source:
        signature = fingerprint(source).signature

    assert signature.unmeasured == ()
    (tower,) = signature.towers
    for layer, roles in enumerate(wanted):
        for role, matrix in roles.items():
            moments = tower.roles[role][layer]
            assert moments is not None
            assert moments.count == matrix.size
            assert moments.mean == pytest.approx(matrix.mean(), rel=1e-9, abs=1e-12)
            assert moments.std == pytest.approx(matrix.std(), rel=1e-9)
