"""What nobody reads is said by name, and measured by nobody."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpcheck.encodings import decoded
from tests.encodings.integers import awq, checkpoint, gptq, packed, quantised

CODES = np.ones((4, 4), "<i4")


@pytest.mark.parametrize(
    "method",
    ["aqlm", "vptq", "higgs", "quip", "spqr", "fp_quant", "torchao", "hqq", "eetq", "quanto"],
)
def test_a_method_that_nobody_reads_is_named(method: str) -> None:
    _, faults = decoded(checkpoint({"m.codes": CODES}, {"quant_method": method}))

    (fault,) = faults
    assert method.replace("_", "-") in fault and "release the unquantised weights" in fault


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("m.W_q", "HQQ"),
        ("m.codebooks", "AQLM"),
        ("m.weight_scales", "EETQ"),
        ("m.weight._data", "quanto"),
        ("m._weight_qdata", "torchao"),
        ("m.Qidxs", "QuIP#"),
    ],
)
def test_tensors_tell_a_method_that_is_not_named(name: str, method: str) -> None:
    tensors = {name: CODES.astype("i1"), "m.weight": CODES.astype("i1")}
    _, faults = decoded(checkpoint(tensors))

    assert any(method in fault for fault in faults)


def test_a_checkpoint_without_codes_has_no_fault() -> None:
    tensors = {"m.weight": np.ones((4, 4), "<f2"), "m.position_ids": np.ones((1, 9), "<i8")}

    assert decoded(checkpoint(tensors, {"quant_method": "aqlm"}))[1] == ()
    assert decoded(checkpoint(tensors))[1] == ()


KEYS = (
    *("quant_method", "bits", "group_size", "desc_act", "checkpoint_format", "format", "version"),
    *("packing_format", "config_groups", "is_marlin_format", "w_bit", "q_group_size"),
)
WORDS = ("gptq", "awq", "auto-round", "compressed-tensors", "gemm", "auto_round:auto_gptq")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=6,
)
SAID = st.dictionaries(st.sampled_from(KEYS), JSON, max_size=6)


@settings(max_examples=150, deadline=None)
@given(said=SAID, beside=SAID)
def test_no_settings_are_more_than_a_reason(said: dict[str, Any], beside: dict[str, Any]) -> None:
    q = quantised(32, 64)
    tensors = gptq("a", q) | awq("b", q) | packed("c", q, "packed")
    found, faults = decoded(checkpoint(tensors, said, quantize_config=beside))

    names = [name for name, tensor in found.tensors.items() if tensor.coding is None]
    assert bool(faults) is bool(names)
