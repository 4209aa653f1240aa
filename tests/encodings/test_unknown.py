"""What nobody reads is said by name, and measured by nobody."""

from __future__ import annotations

import numpy as np
import pytest

from fpcheck.encodings import decoded
from tests.encodings.integers import checkpoint

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
