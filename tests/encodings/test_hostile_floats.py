"""Whatever lies beside whatever: nothing crashes, and no code is measured as it is stored."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fpcheck.checkpoint import read_checkpoint
from fpcheck.checkpoint.dtypes import BITS
from fpcheck.encodings import SCHEMES, decoded
from fpcheck.source.local import LocalSource
from tests.encodings.float_quantisers import four_bits, int8
from tests.encodings.floats import Stored, decode, matrices, stored, values, write

MODULE = "model.layers.0.self_attn.q_proj"
LEAVES = (
    *("weight", "weight_packed", "weight_blocks", "weight_scales", "weight.absmax"),
    *("weight_scale", "weight_scale_inv", "weight_scale_2", "weight_global_scale", "scale"),
    *("weight.nested_absmax", "weight.nested_quant_map", "SCB", "weight_format", "input_scale"),
    *("weight_zero_point", "bias", "weight_shape"),
)
DTYPES = ("F8_E4M3", "F8_E5M2", "F8_E8M0", "F4", "U8", "I8", "BF16", "F16", "F32", "I32")
SIZES = st.sampled_from([0, 1, 2, 4, 16, 32, 64])
STATE = four_bits(matrices((64, 64))[0]).tensors["weight.quant_state.bitsandbytes__nf4"]


@st.composite
def tensors(draw: st.DrawFn) -> dict[str, Stored]:
    """A module of some tensors, of dtypes and shapes that may or may not fit each other."""
    found: dict[str, Stored] = {}
    for leaf in draw(st.sets(st.sampled_from(LEAVES), min_size=1, max_size=5)):
        dtype = draw(st.sampled_from(DTYPES))
        shape = tuple(draw(st.lists(SIZES, max_size=3)))
        bits = int(np.prod(shape, dtype=int)) * BITS[dtype]
        if bits % 8 == 0:
            content = draw(st.binary(min_size=1, max_size=3)) * (bits // 8)
            found[leaf] = dtype, shape, content[: bits // 8]
    if draw(st.booleans()):
        found["weight.quant_state.bitsandbytes__nf4"] = STATE
    return found


CONFIGS = st.sampled_from(
    [
        {},
        {"quantization_config": {"quant_method": "fp8", "weight_block_size": [16, 32]}},
        {"quantization_config": {"quant_method": "fp8", "weight_block_size": None}},
        {"quantization_config": {"config_groups": {"a": {"weights": {"num_bits": 8}}, "b": 1}}},
        {"quantization_config": {"config_groups": []}, "text_config": {"quantization_config": 3}},
        {
            "quantization_config": {
                "config_groups": {"a": {"weights": {"num_bits": 8, "group_size": 16}}}
            }
        },
    ]
)


@settings(deadline=None, max_examples=400, suppress_health_check=list(HealthCheck))
@given(module=tensors(), config=CONFIGS)
def test_nothing_crashes(module: dict[str, Stored], config: dict[str, Any], tmp_path: Path) -> None:
    named = {f"{MODULE}.{leaf}": tensor for leaf, tensor in module.items()}

    folder = write(tmp_path, named, config)
    checkpoint, faults = decode(folder)

    with LocalSource(folder) as source:
        stored_as = read_checkpoint(source)
        found = Counter(name for s in SCHEMES.values() for name in s(stored_as).decoded)
    contested = [name for name, times in found.items() if times > 1]
    assert not any(checkpoint.tensors[name].is_measurable for name in contested)
    assert all(": " in fault for fault in faults)
    for name, tensor in checkpoint.tensors.items():
        if tensor.coding:
            assert np.prod(tensor.shape) == values(checkpoint, name).size > 0
            assert len(tensor.shape) == 2
    weight = checkpoint.tensors.get(f"{MODULE}.weight")
    if weight and weight.dtype in ("F8_E4M3", "F8_E5M2") and len(weight.shape) == 2:
        beside = {leaf for leaf in module if "scale" in leaf or "zero" in leaf} - {"input_scale"}
        assert not weight.count or not beside
        assert not weight.count or not config.get("quantization_config")


def test_what_two_schemes_recognise_is_nobodys(tmp_path: Path) -> None:
    coded = int8(matrices((64, 64))[0]).under(MODULE)
    scales = stored(np.ones((64, 4), np.uint8), "F8_E8M0")  # as if it were MXFP4

    checkpoint, faults = decode(write(tmp_path, coded | {f"{MODULE}.scale": scales}))

    assert not checkpoint.tensors[f"{MODULE}.weight"].is_measurable
    assert any("two schemes" in fault for fault in faults)


def test_decoding_twice_changes_nothing(tmp_path: Path) -> None:
    coded = four_bits(matrices((64, 64))[0])
    checkpoint, _ = decode(write(tmp_path, coded.under(MODULE)))

    again, faults = decoded(checkpoint)

    assert faults == ()
    assert again.tensors == checkpoint.tensors
