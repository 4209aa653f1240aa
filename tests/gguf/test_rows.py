"""The values of GGUF tensors: those that ggml means, in the order of the original rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize, quantize
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.quantisers.k_quants import q4_k, q6_k
from fpcheck.checkpoint import Checkpoint, Tensor, read_checkpoint
from fpcheck.checkpoint.coding import BLOCK
from fpcheck.encodings import decoded
from fpcheck.encodings.gguf import Rows, ggml_rows
from tests.gguf.files import Kind, converted, decoded_values, llama, values_of, write_gguf
from tests.memory_source import MemorySource

FILE = "model.gguf"
RANDOM = np.random.default_rng(0)


def quantises(kind: Kind) -> bool:
    """Whether the package can write a type."""
    try:
        quantize(np.zeros((1, 256), np.float32), kind)
    except NotImplementedError:
        return False
    return True


WRITTEN = [kind for kind in Kind if quantises(kind)]
# Sums beside codes are of intermediate results, which no file holds; integers are no weights.
UNDECODED = {"Q8_1", "Q8_K", "Q1_0", "I8", "I16", "I32", "I64"}
DECODED = [kind for kind in Kind if kind.name not in UNDECODED]


def opened(path: Path) -> Checkpoint:
    """The checkpoint in a file, with codings."""
    checkpoint, faults = decoded(read_checkpoint(MemorySource({FILE: path.read_bytes()})))
    assert not faults
    return checkpoint


def stored(kind: Kind, shape: tuple[int, ...], seed: int = 0) -> tuple[MemorySource, Tensor, Any]:
    """A tensor of blocks that hold any bits but the exponents of what is no number."""
    unit, size = GGML_QUANT_SIZES[kind]
    rows, pitch = int(np.prod(shape[:-1])), shape[-1] // unit * size
    table = np.random.default_rng(seed).integers(0, 60, (rows, pitch)).astype(np.uint8)
    source = MemorySource({FILE: table.tobytes()})
    values = dequantize(table, kind).reshape(shape) if kind.name != "F64" else table.view("<f8")
    return source, Tensor("w", kind.name, shape, FILE, 0, table.size), values


@pytest.mark.parametrize("kind", WRITTEN, ids=lambda kind: kind.name)
def test_a_type_that_the_package_writes_is_read_as_what_it_means(
    kind: Kind, tmp_path: Path
) -> None:
    tensors = llama(layers=1, width=256)
    path = write_gguf(tmp_path / FILE, tensors, dict.fromkeys(tensors, kind), arch="qwen2")
    checkpoint = opened(path)

    for name, original in tensors.items():
        found = values_of(checkpoint.source, checkpoint.tensors[name])
        expected = dequantize(quantize(original, kind), kind).astype(np.float64)
        assert np.array_equal(found, expected)
        assert found.std() == pytest.approx(original.std(), rel=0.2 if "TQ" in kind.name else 0.03)


@pytest.mark.parametrize(("kind", "pack"), [(Kind.Q4_K, q4_k), (Kind.Q6_K, q6_k)])
def test_blocks_of_256_mean_what_their_definition_says(kind: Kind, pack: Any) -> None:
    matrix = RANDOM.normal(scale=0.03, size=(64, 512)).astype(np.float32)
    table, meant = pack(matrix)
    unit, size = GGML_QUANT_SIZES[kind]
    tensor = Tensor("w", kind.name, matrix.shape, FILE, 0, table.size)

    found = decoded_values(
        MemorySource({FILE: table.tobytes()}), Rows(tensor, unit, size), (64, 512)
    )

    assert np.allclose(found, meant, rtol=0, atol=1e-6 * np.abs(meant).max())
    assert found.std() == pytest.approx(meant.std(), rel=1e-6)
    assert found.std() == pytest.approx(matrix.std(), rel=0.02)


@pytest.mark.parametrize("kind", DECODED, ids=lambda kind: kind.name)
def test_every_type_that_can_be_decoded_has_a_coding(kind: Kind) -> None:
    source, tensor, expected = stored(kind, (6, 512))
    checkpoint = Checkpoint(source, {"w": tensor}, (FILE,), {}, (), (), ())

    found = decoded(checkpoint)[0].tensors["w"]

    assert found.is_measurable
    assert np.array_equal(values_of(source, found), expected.astype(np.float64))


@pytest.mark.parametrize("kind", ["Q8_1", "Q8_K", "I8", "I32"])
def test_a_type_without_a_decoder_keeps_its_name_and_is_not_measurable(kind: str) -> None:
    unit, size = GGML_QUANT_SIZES[Kind[kind]]
    tensor = Tensor("w", kind, (2, 256), FILE, 0, 512 // unit * size)
    checkpoint = Checkpoint(MemorySource({}), {"w": tensor}, (FILE,), {}, (), (), ())

    found, faults = decoded(checkpoint)

    assert found.tensors["w"] == tensor
    assert not tensor.is_measurable
    assert not faults


@pytest.mark.parametrize("kind", [None, Kind.F16, Kind.BF16, Kind.Q8_0, Kind.Q4_0])
@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (4, 2), (1, 1), (8, 1)])
def test_rows_that_conversion_has_reordered_are_in_their_old_places(
    kind: Kind | None, heads: int, kv_heads: int, tmp_path: Path
) -> None:
    original = llama(layers=2, heads=heads, kv_heads=kv_heads)
    kinds = dict.fromkeys(original, kind) if kind is not None else None
    written = converted(original, heads, kv_heads)
    path = write_gguf(tmp_path / FILE, written, kinds, heads=heads, kv_heads=kv_heads)
    checkpoint = opened(path)

    for name, matrix in original.items():
        found = values_of(checkpoint.source, checkpoint.tensors[name])
        expected = matrix if kind is None else dequantize(quantize(matrix, kind), kind)
        assert np.array_equal(found, expected.astype(np.float64))


def test_rows_of_other_architectures_stay_as_they_are(tmp_path: Path) -> None:
    tensors = llama(layers=1)
    checkpoint = opened(write_gguf(tmp_path / FILE, tensors, arch="qwen2"))

    assert all(t.coding is None and t.dtype == "F32" for t in checkpoint.tensors.values())


SHAPES = [
    (4, 1_024),
    (256, 8_192),
    (3, BLOCK),
    (2, BLOCK + 256),
    (1, 3 * BLOCK + 512),
    (5_000, 256),
]


@pytest.mark.parametrize(
    ("shape", "heads"),
    [(shape, heads) for shape in SHAPES for heads in (0, 1, 2) if shape[0] % (2 * heads or 1) == 0],
)
def test_blocks_are_small_and_cover_all(shape: tuple[int, int], heads: int) -> None:
    source, tensor, expected = stored(Kind.Q4_K, shape)
    rows = Rows(tensor, *GGML_QUANT_SIZES[Kind.Q4_K], shape[0] // heads if heads else 0)
    if heads:
        parts = expected.reshape(heads, shape[0] // heads // 2, 2, shape[1])
        expected = parts.swapaxes(1, 2).reshape(shape)

    assert all(0 < block.elements <= BLOCK for block in rows.blocks())
    assert np.array_equal(decoded_values(source, rows, shape), expected)


@given(
    st.integers(1, 40), st.integers(1, 6), st.integers(0, 5), st.sampled_from([Kind.Q8_0, Kind.F16])
)
def test_any_shape_is_covered(rows: int, units: int, heads: int, kind: Kind) -> None:
    shape = (rows * 2 * max(heads, 1), units * 32)
    source, tensor, expected = stored(kind, shape)
    found = Rows(tensor, *GGML_QUANT_SIZES[kind], shape[0] // heads if heads else 0)
    if heads:
        parts = expected.reshape(heads, rows, 2, shape[1])
        expected = parts.swapaxes(1, 2).reshape(shape)

    assert np.array_equal(decoded_values(source, found, shape), expected)


def test_a_scale_beside_nvfp4_multiplies_it() -> None:
    kind = "NVFP4"
    source, tensor, expected = stored(Kind[kind], (4, 64))
    content = source._content[FILE] + np.array([3.0], "<f4").tobytes()
    scale = Tensor("w.scale", "F32", (1,), FILE, tensor.stop, tensor.stop + 4)
    weight = Tensor("w.weight", kind, (4, 64), FILE, 0, tensor.stop)
    whole = MemorySource({FILE: content})
    tensors = {"w.scale": scale, "w.weight": weight}

    found, faults = decoded(Checkpoint(whole, tensors, (FILE,), {}, (), (), ()))

    assert not faults
    assert list(found.tensors) == ["w.weight"]
    values = values_of(whole, found.tensors["w.weight"])
    assert np.array_equal(values, (expected * np.float32(3)).astype(np.float64))


def test_each_matrix_of_a_stack_has_its_own_scale() -> None:
    source, tensor, expected = stored(Kind.NVFP4, (3, 2, 64))
    content = source._content[FILE] + np.array([1, 2, 4], "<f4").tobytes()
    scale = Tensor("w.scale", "F32", (3,), FILE, tensor.stop, tensor.stop + 12)
    weight = Tensor("w.weight", "NVFP4", (3, 2, 64), FILE, 0, tensor.stop)
    whole = MemorySource({FILE: content})
    checkpoint = Checkpoint(whole, {"w.scale": scale, "w.weight": weight}, (FILE,), {}, (), (), ())

    values = values_of(whole, decoded(checkpoint)[0].tensors["w.weight"])

    assert np.array_equal(values, expected * np.array([1, 2, 4]).reshape(3, 1, 1))


@pytest.mark.parametrize(("dtype", "shape"), [("F16", (1,)), ("F32", (2,)), ("F32", ())])
def test_a_scale_that_no_loader_takes_is_a_fault(dtype: str, shape: tuple[int, ...]) -> None:
    weight = Tensor("w.weight", "NVFP4", (2, 64), FILE, 0, 72)
    scale = Tensor("w.scale", dtype, shape, FILE, 256, 264)
    tensors = {"w.scale": scale, "w.weight": weight}

    found, faults = decoded(Checkpoint(MemorySource({}), tensors, (FILE,), {}, (), (), ()))

    assert not found.tensors["w.weight"].is_measurable
    assert any("w.weight: its scale is" in fault for fault in faults)


@pytest.mark.parametrize("kind", ["F32", "F16", "Q8_0", "MXFP4"])
def test_a_scale_beside_what_not_every_graph_scales_is_a_fault(kind: str) -> None:
    source, tensor, _ = stored(Kind[kind], (4, 64))
    weight = Tensor("w.weight", kind, (4, 64), FILE, 0, tensor.stop)
    scale = Tensor("w.scale", "F32", (1,), FILE, 0, 4)
    tensors = {"w.scale": scale, "w.weight": weight}

    found, faults = decoded(Checkpoint(source, tensors, (FILE,), {}, (), (), ()))

    assert not found.tensors["w.weight"].is_measurable
    assert faults == (
        f"w.weight: a scale lies beside it, which llama.cpp does not apply to every {kind}",
    )


def test_only_tensors_of_gguf_files_are_recognised() -> None:
    tensor = Tensor("w", "Q8_0", (1, 32), "model.safetensors", 0, 34)

    assert not ggml_rows(Checkpoint(MemorySource({}), {"w": tensor}, (), {}, (), (), ())).decoded
