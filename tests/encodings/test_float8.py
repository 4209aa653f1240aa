"""FP8 with scales in every place and shape that is released, and in none that is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fpcheck.check import fingerprint
from fpcheck.encodings import scaled
from fpcheck.source.local import LocalSource
from tests.checkpoints import ROLES
from tests.data_folders import data
from tests.encodings.float_quantisers import SCALES, float8
from tests.encodings.floats import decode, matrices, moments, refused, single, stored, values, write

LAYER = "model.layers.0.self_attn."
Q = LAYER + "q_proj"
BLOCKS = {"quantization_config": {"quant_method": "fp8", "weight_block_size": [16, 32]}}
PHI3 = {
    "model_type": "phi3",
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 1,
}
FP8 = stored(np.full((32, 64), 0x38, np.uint8), "F8_E4M3")  # ones


@pytest.mark.parametrize("scale_dtype", SCALES)
@pytest.mark.parametrize("dtype", ["F8_E4M3", "F8_E5M2"])
def test_blocks_of_every_scale(dtype: str, scale_dtype: str, tmp_path: Path) -> None:
    (matrix,) = matrices((40, 72))
    coded = float8(matrix, (16, 32), dtype=dtype, scale_dtype=scale_dtype)

    checkpoint, faults = decode(write(tmp_path, coded.under(Q), BLOCKS))

    assert faults == ()
    assert list(checkpoint.tensors) == [f"{Q}.weight"]
    np.testing.assert_array_equal(values(checkpoint, f"{Q}.weight"), coded.values)


@pytest.mark.parametrize(
    ("block", "shape"),
    [
        ((40, 64), ()),
        ((40, 64), (1,)),
        ((40, 64), (1, 1)),
        ((1, 64), (40,)),
        ((1, 64), (40, 1)),
        ((1, 32), (40, 2)),
        ((128, 128), (1, 1)),
        ((8, 16), (5, 4)),
        ((8, 16), (5, 1, 4, 1)),
    ],
)
@pytest.mark.parametrize("scale", ["weight_scale", "weight_scale_inv", "scale", "qscale_weight"])
def test_scales_of_every_shape(
    block: tuple[int, int], shape: tuple[int, ...], scale: str, tmp_path: Path
) -> None:
    (matrix,) = matrices((40, 64))
    coded = float8(matrix, block, scale=scale, shape=shape)

    checkpoint, faults = decode(write(tmp_path, coded.under(Q)))

    assert faults == ()
    np.testing.assert_array_equal(values(checkpoint, f"{Q}.weight"), coded.values)


def test_the_usual_blocks_need_not_be_stated_even_where_they_do_not_divide(tmp_path: Path) -> None:
    (matrix,) = matrices((192, 160))
    coded = float8(matrix, (128, 128))

    checkpoint, _ = decode(write(tmp_path, coded.under(Q)))

    np.testing.assert_array_equal(values(checkpoint, f"{Q}.weight"), coded.values)


@pytest.mark.parametrize("size", [[24, 48], "24x48"])
def test_compressed_tensors_states_blocks_as_a_list_and_once_as_a_text(
    size: object, tmp_path: Path
) -> None:
    coded = float8(matrices((72, 144))[0], (24, 48), scale="weight_scale")
    weights = {"num_bits": 8, "type": "float", "strategy": "block", "block_structure": size}
    groups = {"group_0": {"targets": ["Linear"], "weights": weights}}
    config = {"quantization_config": {"config_groups": groups}}

    checkpoint, faults = decode(write(tmp_path, coded.under(Q), config))

    assert faults == ()
    np.testing.assert_array_equal(values(checkpoint, f"{Q}.weight"), coded.values)


@pytest.mark.parametrize("size", ["24", "24x48x1", "0x48", "-24x48", "", "٢٤x48", [24], 24])
def test_blocks_of_a_size_that_is_none_fit_nothing(size: object, tmp_path: Path) -> None:
    tensors = float8(matrices((64, 64))[0], (32, 32), scale="weight_scale").under(Q)
    weights = {"num_bits": 8, "type": "float", "block_structure": size}
    config = {"quantization_config": {"config_groups": {"group_0": {"weights": weights}}}}

    assert "do not fit" in refused(write(tmp_path, tensors, config), f"{Q}.weight")


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    shape=st.tuples(st.integers(1, 20), st.integers(1, 70)),
    block=st.tuples(st.integers(1, 24), st.integers(1, 80)),
    most=st.sampled_from([1, 7, 16, 64, 1 << 18]),
)
def test_values_do_not_depend_on_how_the_matrix_is_cut(
    shape: tuple[int, int], block: tuple[int, int], most: int, tmp_path: Path
) -> None:
    (matrix,) = matrices(shape)
    coded = float8(matrix, block)
    config = {"quantization_config": {"weight_block_size": list(block)}}
    with mock.patch.object(scaled, "BLOCK", most):
        checkpoint, faults = decode(write(tmp_path, coded.under(Q), config))

        assert faults == ()
        np.testing.assert_array_equal(values(checkpoint, f"{Q}.weight"), coded.values)
        coding = checkpoint.tensors[f"{Q}.weight"].coding
        assert coding and max(block.elements for block in coding.blocks()) <= most


def test_a_whole_model(tmp_path: Path) -> None:
    tensors, truth = {}, {}
    for layer in range(2):
        for (role, name), matrix in zip(ROLES.items(), matrices((64, 64), 4, layer), strict=True):
            coded = float8(matrix, (16, 32))
            tensors |= coded.under(f"model.layers.{layer}.self_attn.{name}")
            truth[role, layer] = coded.values

    found = moments(
        write(tmp_path, tensors, {"model_type": "llama", "num_hidden_layers": 2, **BLOCKS})
    )

    for (role, layer), matrix in truth.items():
        mean, std = matrix.mean(), matrix.std()
        assert found[role][layer] == pytest.approx((mean, std), rel=1e-8)


def test_a_fused_matrix_is_split_after_it_is_decoded(tmp_path: Path) -> None:
    fused, output = matrices((96, 64))[0], matrices((64, 64), seed=1)[0]
    qkv = float8(fused, (1, 64), scale="weight_scale")
    tensors = qkv.under(LAYER + "qkv_proj") | float8(output, (64, 64)).under(LAYER + "o_proj")
    config = {**PHI3, "quantization_config": {"quant_method": "fp8"}}

    found = moments(write(tmp_path, tensors, config))

    parts = {"q": qkv.values[:64], "k": qkv.values[64:80], "v": qkv.values[80:]}
    for role, part in parts.items():
        assert found[role] == [pytest.approx((part.mean(), part.std()), rel=1e-8)]


def test_a_published_block_scaled_model() -> None:
    import json

    folder = data("attention-examples/remote_code/fp8_block_scale")
    signature = fingerprint(LocalSource(folder), digest=False).signature
    (tower,) = signature.towers
    truth = json.loads((folder / "truth.json").read_text())["layers"]

    assert signature.unmeasured == ()
    for role in "qkvo":
        (row,) = [row for name, row in tower.roles.items() if str(name) == role]
        found = [moments.std for moments in row if moments]
        assert found == pytest.approx([layer[role]["std"] for layer in truth], rel=1e-7)


@pytest.mark.parametrize("scale", ["weight_scale_inv", "weight_scale"])
@pytest.mark.parametrize(
    ("said", "files", "words"),
    [
        (None, (), "names no method"),
        ({}, (), "names no method"),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, (), "'bitsandbytes'"),
        ({"quant_method": "fp8"}, (), ""),
        ({"quant_method": "compressed-tensors"}, (), ""),
        (None, ("hf_quant_config.json",), ""),
    ],
)
def test_scales_are_applied_where_a_loader_is_told_to(
    scale: str, said: Any, files: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    coded = float8(matrices((32, 64))[0], (32, 64), scale=scale)
    config = {"model_type": "llama"} | ({} if said is None else {"quantization_config": said})
    folder = write(tmp_path, coded.under(Q), config)
    for file in files:
        (folder / file).write_text('{"quantization": {"quant_algo": "FP8"}}')

    checkpoint, faults = decode(folder)

    assert (checkpoint.tensors[f"{Q}.weight"].coding is None) is bool(words)
    assert words in "".join(faults) and bool(faults) is bool(words)


def test_without_scales_a_weight_is_what_it_says(tmp_path: Path) -> None:
    checkpoint, faults = decode(write(tmp_path, {f"{Q}.weight": FP8}))

    assert faults == ()
    assert checkpoint.tensors[f"{Q}.weight"].dtype == "F8_E4M3"


def test_scales_of_activations_are_not_the_weights(tmp_path: Path) -> None:
    (matrix,) = matrices((32, 64))
    coded = float8(matrix, (32, 64), scale="weight_scale", shape=())
    tensors = coded.under(Q) | {f"{Q}.input_scale": single(2.0)}

    checkpoint, faults = decode(write(tmp_path, tensors))

    assert faults == ()
    np.testing.assert_array_equal(values(checkpoint, f"{Q}.weight"), coded.values)


def test_stacked_experts_are_left_alone(tmp_path: Path) -> None:
    tensors = {
        "model.layers.0.mlp.experts.gate_up_proj": stored(np.zeros((2, 4, 8), np.uint8), "F8_E4M3"),
        "model.layers.0.mlp.experts.gate_up_proj_scale": single(np.ones((2, 4, 1))),
    }
    checkpoint, faults = decode(write(tmp_path, tensors))

    assert faults == ()
    assert list(checkpoint.tensors) == sorted(tensors)


def test_a_name_that_is_no_weight_has_scales_of_its_own(tmp_path: Path) -> None:
    (matrix,) = matrices((96, 32))
    coded = float8(matrix, (1, 32), scale="in_proj_weight_scale")
    tensors = {"in_proj_weight": coded.tensors["weight"], **coded.tensors}
    del tensors["weight"]
    tensors["out_proj_weight_scale"] = single(np.ones(7))  # another's

    checkpoint, faults = decode(write(tmp_path, {f"attn.{k}": v for k, v in tensors.items()}))

    assert faults == ()
    np.testing.assert_array_equal(values(checkpoint, "attn.in_proj_weight"), coded.values)


@pytest.mark.parametrize(
    ("beside", "config", "words"),
    [
        ({}, BLOCKS, "has no scales"),
        ({"weight_scale": single(np.ones(3))}, {}, "do not fit"),
        ({"weight_scale": single(np.ones((64, 1)))}, {}, "do not fit"),
        ({"weight_scale": single(np.ones((32, 64, 1)))}, {}, "do not fit"),
        ({"weight_scale": single(np.ones((3, 5)))}, {}, "do not fit"),
        ({"weight_scale": single(np.ones((0, 1)))}, {}, "do not fit"),
        ({"weight_scale": single(np.ones((1, 64)))}, {}, "do not fit"),  # one a column
        ({"weight_scale_inv": single(np.ones((2, 3)))}, BLOCKS, "do not fit"),
        ({"weight_scale_inv": single(np.ones((4, 4)))}, BLOCKS, "do not fit"),
        ({"weight_scale": stored(np.ones(1, np.int32), "I32")}, {}, "stored as I32"),
        ({"weight_scale": stored(np.ones(1, np.float64), "F64")}, {}, "stored as F64"),
        ({"weight_scale": single(1), "weight_scale_inv": single(1)}, {}, "no format has this"),
        ({"weight_scale": single(1), "weight_zero_point": single(0)}, {}, "no format has this"),
        ({"weight_scale_2": single(1)}, {}, "no format has this"),
        ({"weight_scales": single(1)}, {}, "no format has this"),
        ({"my_scale": single(1)}, {}, "no format has this"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(
    beside: dict[str, Any], config: dict[str, Any], words: str, tmp_path: Path
) -> None:
    tensors = {f"{LAYER}{name}.weight": FP8 for name in ROLES.values()}
    tensors |= {
        f"{LAYER}{name}.{leaf}": scale for name in ROLES.values() for leaf, scale in beside.items()
    }
    folder = write(tmp_path, tensors, {"model_type": "llama", **config})

    fault = refused(folder, f"{LAYER}k_proj.weight")

    assert words in fault
    assert fault.endswith("(and so for 3 more)")


@pytest.mark.parametrize(
    "size", [[0, 32], [16], [-16, 32], [True, 32], "16x32", [16.0, 32], [10**19, 32], {}, [[], []]]
)
def test_a_stated_size_that_is_none_fits_nothing(size: object, tmp_path: Path) -> None:
    (matrix,) = matrices((32, 64))
    tensors = float8(matrix, (16, 32)).under(Q)
    config = {"quantization_config": {"weight_block_size": size}}

    assert "do not fit" in refused(write(tmp_path, tensors, config), f"{Q}.weight")


def test_a_scale_that_is_not_finite_is_told(tmp_path: Path) -> None:
    (matrix,) = matrices((64, 64))
    tensors = {}
    for name in ROLES.values():
        tensors |= float8(matrix, (1, 64), scale="weight_scale").under(LAYER + name)
    tensors[f"{LAYER}v_proj.weight_scale"] = single(np.full((64, 1), np.nan))
    from fpcheck.errors import NonFiniteError

    with pytest.raises(NonFiniteError, match=r"v_proj\.weight"):
        fingerprint(LocalSource(write(tmp_path, tensors)), digest=False)
