"""FP4 in all its containers, and in none that is not one."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fpcheck.encodings import scaled
from tests.checkpoints import ROLES
from tests.encodings.float_quantisers import mxfp4, nvfp4
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


def microscaled(matrix: np.ndarray, container: str) -> tuple[dict[str, Stored], np.ndarray]:
    """MXFP4 in one of its containers, by what follows the module's name."""
    codes, exponents, truth = mxfp4(matrix)
    rows, columns = matrix.shape
    names: dict[str, tuple[str, Stored, str, str]] = {
        "compressed-tensors": (".weight_packed", stored(codes, "U8"), ".weight_scale", "U8"),
        "E8M0": (".weight_packed", stored(codes, "U8"), ".weight_scale", "F8_E8M0"),
        "Quark": (".weight", stored(codes, "U8"), ".weight_scale", "U8"),
        "DeepSeek": (".weight", stored(codes, "I8"), ".scale", "F8_E8M0"),
        "F4": (".weight", ("F4", (rows, columns), codes.tobytes()), ".weight_scale", "F8_E8M0"),
        "gpt-oss": (
            ".weight_blocks",
            stored(codes.reshape(rows, columns // 32, 16), "U8"),
            *(".weight_scales", "U8"),
        ),
        "gpt-oss, short": (
            "_blocks",
            stored(codes.reshape(rows, columns // 32, 16), "U8"),
            *("_scales", "U8"),
        ),
    }
    leaf, content, scales, dtype = names[container]
    return {leaf: content, scales: stored(exponents, dtype)}, truth


CONTAINERS = ("compressed-tensors", "E8M0", "Quark", "DeepSeek", "F4", "gpt-oss", "gpt-oss, short")
CONFIG = {
    "model_type": "llama",
    "num_hidden_layers": 1,
    "quantization_config": {"quant_method": "mxfp4"},
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_mxfp4_in_every_container(container: str, tmp_path: Path) -> None:
    tensors, truth = microscaled(matrices((12, 96))[0], container)
    folder = write(tmp_path, {Q + leaf: tensor for leaf, tensor in tensors.items()}, CONFIG)

    checkpoint, faults = decode(folder)

    assert faults == ()
    assert list(checkpoint.tensors) == [f"{Q}.weight"]
    assert checkpoint.tensors[f"{Q}.weight"].shape == (12, 96)
    np.testing.assert_array_equal(values(checkpoint, f"{Q}.weight"), truth)


@pytest.mark.parametrize("divides", [True, False])
def test_nvfp4(divides: bool, tmp_path: Path) -> None:
    coded = nvfp4(matrices((12, 48))[0], divides=divides)
    tensors = coded.under(Q) | {f"{Q}.input_scale": single(3), f"{Q}.input_global_scale": single(3)}

    checkpoint, faults = decode(write(tmp_path, tensors))

    assert faults == ()
    np.testing.assert_array_equal(values(checkpoint, f"{Q}.weight"), coded.values)


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(
    rows=st.integers(1, 9),
    groups=st.integers(1, 9),
    most=st.sampled_from([16, 64, 100, 1 << 18]),
    divides=st.booleans(),
)
def test_values_do_not_depend_on_how_the_matrix_is_cut(
    rows: int, groups: int, most: int, divides: bool, tmp_path: Path
) -> None:
    coded = nvfp4(matrices((rows, 16 * groups))[0], divides=divides)
    with mock.patch.object(scaled, "BLOCK", most):
        checkpoint, _ = decode(write(tmp_path, coded.under(Q)))

        np.testing.assert_array_equal(values(checkpoint, f"{Q}.weight"), coded.values)


@pytest.mark.parametrize("container", ["nvfp4", "gpt-oss"])
def test_a_whole_model(container: str, tmp_path: Path) -> None:
    tensors, truth = {}, {}
    for (role, name), matrix in zip(ROLES.items(), matrices((64, 64), 4), strict=True):
        if container == "nvfp4":
            coded = nvfp4(matrix, divides=True)
            tensors |= coded.under(LAYER + name)
            truth[role] = coded.values
        else:
            own, truth[role] = microscaled(matrix, container)
            tensors |= {LAYER + name + leaf: tensor for leaf, tensor in own.items()}

    found = moments(write(tmp_path, tensors, CONFIG if container == "gpt-oss" else None))

    for role, matrix in truth.items():
        assert found[role] == [pytest.approx((matrix.mean(), matrix.std()), rel=1e-8)]


def test_experts_in_blocks_are_left_alone(tmp_path: Path) -> None:
    tensors = {
        "model.layers.0.mlp.experts.down_proj_blocks": stored(np.zeros((2, 4, 3, 16), "u1"), "U8"),
        "model.layers.0.mlp.experts.down_proj_scales": stored(np.zeros((2, 4, 3), "u1"), "U8"),
    }
    checkpoint, faults = decode(write(tmp_path, tensors, CONFIG))

    assert faults == ()
    assert list(checkpoint.tensors) == sorted(tensors)


def bytes_of(*shape: int, dtype: str = "U8") -> Stored:
    """So many bytes, all of them ones."""
    return stored(np.ones(shape, np.uint8), dtype)


E4M3_4 = bytes_of(32, 4, dtype="F8_E4M3")


@pytest.mark.parametrize(
    ("leaves", "words"),
    [
        ({"weight_packed": bytes_of(32, 32)}, "no scales"),
        ({"weight": ("F4", (32, 64), bytes(1024))}, "no scales"),
        ({"weight_packed": bytes_of(32, 32), "weight_scale": E4M3_4}, "no format has this"),
        ({"weight": bytes_of(32, 32), "weight_scale": E4M3_4}, "no format has this"),
        ({"weight": bytes_of(32, 32), "weight_scale": single(1)}, "no format has this"),
        ({"weight_packed": bytes_of(32, 32), "weight_scale": bytes_of(32, 3)}, "do not fit"),
        # compressed-tensors' MXFP6: three bytes for every four
        ({"weight_packed": bytes_of(32, 48), "weight_scale": bytes_of(32, 2)}, "do not fit"),
        ({"weight_packed": bytes_of(32, 30), "weight_scale": bytes_of(32, 2)}, "do not fit"),
        ({"weight_packed": bytes_of(0, 16), "weight_scale": bytes_of(0, 1)}, "do not fit"),
        (
            {
                "weight_packed": bytes_of(32, 32),
                "weight_scale": bytes_of(32, 2),
                "weight_zero_point": bytes_of(32, 2),
            },
            "no format has this",
        ),
        (
            {
                "weight": bytes_of(32, 32),
                "weight_packed": bytes_of(32, 32),
                "weight_scale": bytes_of(32, 2),
            },
            "stored twice",
        ),
        (
            {
                "weight_packed": bytes_of(32, 32),
                "weight_scale": E4M3_4,
                "weight_global_scale": single([1, 2]),
            },
            "not one F32",
        ),
        (
            {
                "weight": bytes_of(32, 32),
                "weight_scale": E4M3_4,
                "weight_scale_2": bytes_of(1),
            },
            "not one F32",
        ),
        ({"weight_blocks": bytes_of(32, 2, 16)}, "without scales"),
        ({"weight_blocks": bytes_of(32, 2, 16), "weight_scales": bytes_of(32, 3)}, "do not fit"),
        ({"weight_blocks": bytes_of(32, 2, 8), "weight_scales": bytes_of(32, 2)}, "do not fit"),
        ({"weight_blocks": bytes_of(0, 2, 16), "weight_scales": bytes_of(0, 2)}, "do not fit"),
        (
            {"weight_blocks": bytes_of(32, 2, 16), "weight_scales": single(np.ones((32, 2)))},
            "stored as F32",
        ),
        (
            {
                "weight": single(np.ones((32, 64))),
                "weight_blocks": bytes_of(32, 2, 16),
                "weight_scales": bytes_of(32, 2),
            },
            "stored twice",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_words(
    leaves: dict[str, Any], words: str, tmp_path: Path
) -> None:
    tensors = {
        f"{LAYER}{name}.{leaf}": tensor
        for name in ROLES.values()
        for leaf, tensor in leaves.items()
    }

    assert words in refused(write(tmp_path, tensors, CONFIG), f"{LAYER}k_proj.weight")
