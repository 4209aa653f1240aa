"""bitsandbytes' int8, NF4 and FP4, and states that are not what bitsandbytes writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fpcheck.encodings import scaled
from fpcheck.encodings.quant_state import parse_state
from fpcheck.errors import FormatError
from tests.checkpoints import ROLES
from tests.encodings.float_quantisers import four_bits, int8
from tests.encodings.floats import (
    Stored,
    decode,
    matrices,
    moments,
    refused,
    single,
    stored,
    values,
    write,
)

LAYER = "model.layers.0.self_attn."
Q = LAYER + "q_proj"
PHI3 = {
    "model_type": "phi3",
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 1,
}
STATE = "weight.quant_state.bitsandbytes__nf4"


def test_int8(tmp_path: Path) -> None:
    coded = int8(matrices((24, 40))[0])

    checkpoint, faults = decode(write(tmp_path, coded.under(Q)))

    assert faults == ()
    assert list(checkpoint.tensors) == [f"{Q}.weight"]
    np.testing.assert_array_equal(values(checkpoint, f"{Q}.weight"), coded.values)


@pytest.mark.parametrize("kind", ["nf4", "fp4"])
@pytest.mark.parametrize("nested", [0, 256, 4])
@pytest.mark.parametrize("shape", [(16, 64), (9, 50), (7, 13)])
def test_four_bits(kind: str, nested: int, shape: tuple[int, int], tmp_path: Path) -> None:
    coded = four_bits(matrices(shape)[0], kind, nested=nested)

    checkpoint, faults = decode(write(tmp_path, coded.under(Q)))

    assert faults == ()
    assert list(checkpoint.tensors) == [f"{Q}.weight"]
    assert checkpoint.tensors[f"{Q}.weight"].shape == shape
    np.testing.assert_array_equal(values(checkpoint, f"{Q}.weight"), coded.values)


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    shape=st.tuples(st.integers(1, 12), st.integers(1, 150)),
    size=st.sampled_from([32, 64, 128, 4096]),
    nested=st.sampled_from([0, 1, 2, 256]),
    most=st.sampled_from([1, 5, 32, 64, 100, 1 << 18]),
)
def test_values_do_not_depend_on_how_the_matrix_is_cut(
    shape: tuple[int, int], size: int, nested: int, most: int, tmp_path: Path
) -> None:
    coded = four_bits(matrices(shape)[0], size=size, nested=nested)
    with mock.patch.object(scaled, "BLOCK", most):
        checkpoint, faults = decode(write(tmp_path, coded.under(Q)))

        assert faults == ()
        np.testing.assert_array_equal(values(checkpoint, f"{Q}.weight"), coded.values)


@pytest.mark.parametrize("holder", ["BF16", "F16", "F32"])
def test_codes_in_another_dtype_are_not_taken_for_weights(holder: str, tmp_path: Path) -> None:
    coded = four_bits(matrices((16, 64))[0])
    _, _, content = coded.tensors["weight"]
    size = 4 if holder == "F32" else 2
    coded.tensors["weight"] = holder, (len(content) // size, 1), content

    checkpoint, faults = decode(write(tmp_path, coded.under(Q)))

    assert faults == ()
    np.testing.assert_array_equal(values(checkpoint, f"{Q}.weight"), coded.values)


@pytest.mark.parametrize("scheme", ["int8", "nf4", "nested"])
def test_a_whole_model(scheme: str, tmp_path: Path) -> None:
    quantise = {
        "int8": int8,
        "nf4": four_bits,
        "nested": lambda matrix: four_bits(matrix, nested=16),
    }[scheme]
    tensors: dict[str, Stored] = {}
    truth = {}
    for (role, name), matrix in zip(ROLES.items(), matrices((64, 64), 4), strict=True):
        coded = quantise(matrix)
        tensors |= coded.under(LAYER + name)
        truth[role] = coded.values
    tensors |= {f"{LAYER}q_proj.bias": single(np.arange(64) / 64)}

    found = moments(write(tmp_path, tensors))

    for role, matrix in truth.items():
        assert found[role] == [pytest.approx((matrix.mean(), matrix.std()), rel=1e-8)]
    assert found["q.bias"] == [pytest.approx((31.5 / 64, np.std(np.arange(64) / 64)))]


def test_a_fused_matrix_is_split_after_it_is_decoded(tmp_path: Path) -> None:
    fused, output = matrices((96, 64))[0], matrices((64, 64), seed=1)[0]
    qkv = four_bits(fused, nested=16)
    tensors = qkv.under(LAYER + "qkv_proj") | int8(output).under(LAYER + "o_proj")
    config = {**PHI3, "quantization_config": {"quant_method": "bitsandbytes"}}

    found = moments(write(tmp_path, tensors, config))

    parts = {"q": qkv.values[:64], "k": qkv.values[64:80], "v": qkv.values[80:]}
    for role, part in parts.items():
        assert found[role] == [pytest.approx((part.mean(), part.std()), rel=1e-8)]


@pytest.mark.parametrize(
    ("leaf", "tensor", "words"),
    [
        ("SCB", single(np.ones(63)), "SCB is F32"),
        ("weight_scale", single(np.ones((64, 1))), "scales of another kind"),
        ("SCB", stored(np.ones(64, np.float64), "F64"), "SCB is F64"),
        ("weight_format", stored(np.array(1, np.uint8), "U8"), "weight_format"),
        ("weight_format", stored(np.zeros(4, np.uint8), "U8"), "weight_format"),
    ],
)
def test_int8_that_does_not_fit(leaf: str, tensor: Stored, words: str, tmp_path: Path) -> None:
    assert words in _refused(int8(matrices((64, 64))[0]).tensors | {leaf: tensor}, tmp_path)


def test_int8_without_its_scales_is_no_weight(tmp_path: Path) -> None:
    tensors = int8(matrices((64, 64))[0]).under(Q)
    del tensors[f"{Q}.SCB"]

    checkpoint, _ = decode(write(tmp_path, tensors))

    assert not checkpoint.tensors[f"{Q}.weight"].is_measurable


GOOD = {"quant_type": "nf4", "blocksize": 64, "dtype": "float32", "shape": [64, 64]}
NESTED = {"nested_blocksize": 16, "nested_offset": 0.5, "nested_dtype": "float32"}


@pytest.mark.parametrize(
    "change",
    [
        {"quant_type": "fp4"},
        {"quant_type": None},
        *({"blocksize": size} for size in (0, -64, 63, 8192, 64.0, "64", True, None, [64])),
        *({"shape": shape} for shape in ([64, 63], [64], [4096], [0, 0], [-64, -64], None)),
        *({"shape": shape} for shape in ([64.0, 64], ["64", 64], [1, 64, 64], {}, [2**62, 4])),
        {"nested_blocksize": 16},
        {"nested_offset": 0.5},
        *(NESTED | {"nested_blocksize": size} for size in (0, 3, -1, 2**40, 16.0, True)),
        *(NESTED | {"nested_offset": offset} for offset in (1e300, "1", True, [1])),
        NESTED,  # and no nested tensors
    ],
)
def test_a_state_that_bitsandbytes_would_not_write(change: dict[str, Any], tmp_path: Path) -> None:
    tensors = four_bits(matrices((64, 64))[0]).tensors
    state = json.dumps(GOOD | change).encode()

    assert _refused(tensors | {STATE: stored(np.frombuffer(state, np.uint8), "U8")}, tmp_path)


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"[" * 4000,
        b'{"blocksize": 64, "blocksize": 64, "shape": [64, 64]}',
        b'{"blocksize": 64, "shape": [64, 64], "nested_offset": NaN, "nested_blocksize": 16}',
        json.dumps(GOOD).encode() + b" " * 5000,
    ],
)
def test_a_state_that_is_no_small_object(state: bytes, tmp_path: Path) -> None:
    tensors = four_bits(matrices((64, 64))[0]).tensors

    assert _refused(tensors | {STATE: ("U8", (len(state),), state)}, tmp_path)


@pytest.mark.parametrize(
    ("leaf", "tensor"),
    [
        ("weight.absmax", None),
        ("weight.absmax", single(np.ones(63))),
        ("weight.absmax", stored(np.ones(64, np.int32), "I32")),
        ("weight.nested_absmax", single(np.ones(3))),
        ("weight.nested_absmax", stored(np.ones(4, np.float64), "F64")),
        ("weight.nested_quant_map", single(np.ones(255))),
        ("weight.nested_quant_map", None),
        (STATE, None),
        ("weight.quant_state.bitsandbytes__fp4", single(1)),
    ],
)
def test_parts_that_do_not_fit(leaf: str, tensor: Stored | None, tmp_path: Path) -> None:
    tensors = four_bits(matrices((64, 64))[0], nested=16).tensors
    del tensors["weight"]  # to lay it in a dtype that would be measured
    tensors["weight"] = ("BF16", (64, 16), bytes(2048))
    tensors.pop(leaf, None)

    assert _refused(tensors | ({leaf: tensor} if tensor else {}), tmp_path)


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
def test_a_weight_of_its_own_shape_is_no_column_of_codes(dtype: str, tmp_path: Path) -> None:
    size = 4 if dtype == "F32" else 2
    decoys = four_bits(matrices((64, 64 * 2 * size))[0]).tensors
    tensors = decoys | {"weight": (dtype, (64, 64), bytes(64 * 64 * size))}

    assert "are a column" in _refused(tensors, tmp_path)


METHOD = {"quant_method": "bitsandbytes"}


@pytest.mark.parametrize("scheme", [int8, four_bits])
@pytest.mark.parametrize(
    ("said", "words"),
    [
        (None, "names no method"),
        ({"quant_method": "fp8"}, "'fp8'"),
        ({"load_in_4bit": "yes"}, "names no method"),
        (METHOD, ""),
        ({"load_in_4bit": True, "load_in_8bit": True}, ""),
    ],
)
def test_a_config_that_names_a_model_has_to_name_the_method(
    scheme: Any, said: Any, words: str, tmp_path: Path
) -> None:
    coded = scheme(matrices((64, 64))[0])
    config = {"model_type": "llama", "quantization_config": said}

    checkpoint, faults = decode(write(tmp_path, coded.under(Q), config))

    assert (checkpoint.tensors[f"{Q}.weight"].coding is None) is bool(words)
    assert words in "".join(faults) and bool(faults) is bool(words)


def _refused(tensors: dict[str, Stored], folder: Path) -> str:
    everywhere = {f"{LAYER}{n}.{leaf}": t for n in ROLES.values() for leaf, t in tensors.items()}
    return refused(write(folder, everywhere), f"{LAYER}k_proj.weight")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
_KEYS = ("quant_type", "blocksize", "shape", "nested_blocksize", "nested_offset", "dtype")


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(_KEYS), _JSON).map(
        lambda change: json.dumps({**GOOD, **change}).encode()
    )
    | st.binary(max_size=200)
)
def test_any_state_is_read_or_refused(content: bytes) -> None:
    try:
        state = parse_state(content, "nf4")
    except (FormatError, ValueError) as error:
        assert str(error)
    else:
        assert min(state.shape) > 0
        assert state.size in (32, 64, 128, 256, 512, 1024, 2048, 4096)
