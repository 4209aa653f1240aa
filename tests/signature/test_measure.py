"""What is measured is what numpy computes, however and from wherever it is read."""

from __future__ import annotations

import threading
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpcheck.attention import Attention
from fpcheck.checkpoint import read_checkpoint
from fpcheck.errors import NonFiniteError, SourceError
from fpcheck.layouts import Role
from fpcheck.packing import Pattern, whole
from fpcheck.signature import plan
from fpcheck.signature.decode import STORED, Stored
from fpcheck.signature.kernels import UNIT
from fpcheck.signature.measure import measure
from fpcheck.source.local import LocalSource
from tests.memory_source import MemorySource
from tests.signature.samples import stored
from tests.signature.towers import FILE, Sample, content, profile, truth

GROUPED = Pattern(4, ((Role.Q, 4000), (Role.K, 1000), (Role.V, 1000)))
TRANSPOSED = Pattern(96, ((Role.Q, 32), (Role.K, 32), (Role.V, 32)))
TRANSPOSED_HEADS = Pattern(64, ((Role.Q, 4), (Role.K, 4), (Role.V, 4)) * 6)


def matrix(dtype: str, *shape: int, seed: int = 0, mean: float = 0.0) -> Stored:
    values = np.random.default_rng(seed).normal(mean, 0.02 * (seed + 1), shape)
    return stored(values, dtype)


def agree(samples: list[Sample]) -> None:
    found = profile(samples)
    expected = truth(samples)
    assert {(layer, role) for role in found.roles for layer in found.layers} >= set(expected)
    for (layer, role), values in expected.items():
        moments = found.roles[role][found.layers.index(layer)]
        assert moments is not None
        assert moments.count == values.size
        assert moments.std == pytest.approx(values.std(), rel=1e-7)
        assert moments.mean == pytest.approx(values.mean(), rel=1e-7, abs=1e-9 * values.std())


@pytest.mark.parametrize("dtype", STORED)
@pytest.mark.parametrize(
    ("pattern", "shape"),
    [
        (whole(Role.Q, 96 * 96), (96, 96)),
        (GROUPED, (24, 1000)),
        (TRANSPOSED, (96, 96)),
        (TRANSPOSED_HEADS, (64, 72)),
    ],
    ids=["whole", "grouped", "transposed", "transposed by head"],
)
def test_every_packing_of_every_dtype(dtype: str, pattern: Pattern, shape: tuple[int, int]) -> None:
    agree([Sample(dtype, matrix(dtype, *shape, seed=n), pattern, n) for n in range(3)])


@pytest.mark.parametrize("dtype", STORED)
def test_tensors_of_several_units(dtype: str) -> None:
    long = matrix(dtype, 3 * UNIT + 1001)
    wide = matrix(dtype, 700, 3072, seed=1)
    segments = Pattern(1, ((Role.Q, 2 * UNIT + 1), (Role.K, UNIT - 500), (Role.V, 1500)))
    columns = Pattern(700, ((Role.Q, 1024), (Role.K, 1024), (Role.V, 1024)))

    agree([Sample(dtype, long, segments, 0), Sample(dtype, wide, columns, 1)])


def test_pieces_of_one_role_in_one_layer_are_measured_as_one() -> None:
    halves = [Sample("F32", matrix("F32", 500, seed=n), whole(Role.Q, 500)) for n in (0, 5)]
    agree(halves)


def test_a_role_that_a_layer_lacks_is_none() -> None:
    found = profile(
        [
            Sample("F32", matrix("F32", 10), whole(Role.Q, 10), 7),
            Sample("F32", matrix("F32", 10), whole(Role.NORM, 10), 3),
        ]
    )

    assert found.layers == (3, 7)
    assert list(found.roles) == [Role.Q, Role.NORM]
    assert [m is None for m in found.roles[Role.Q]] == [True, False]


def test_nothing_to_measure_is_no_tower() -> None:
    source = MemorySource({FILE: content([])})

    assert measure(read_checkpoint(source), Attention((), (), ())) == ()


MIXED = [
    Sample("BF16", matrix("BF16", 60, 1000), Pattern(10, ((Role.Q, 4000), (Role.K, 2000))), 0),
    Sample("BF16", matrix("BF16", 60, seed=1, mean=1.0), whole(Role.NORM, 60), 0),
    Sample("F16", matrix("F16", 96, 96, seed=2), TRANSPOSED, 1),
    Sample("F32", matrix("F32", 50_001, seed=3), whole(Role.O, 50_001), 1),
    Sample("F8_E4M3", matrix("F8_E4M3", 64, 72, seed=4), TRANSPOSED_HEADS, 2),
    Sample("F64", matrix("F64", 24, 1000, seed=5), GROUPED, 2),
]


@given(
    read_size=st.integers(1, 200_000),
    batch=st.integers(1, 200_000),
    workers=st.integers(1, 5),
    gap=st.integers(0, 2000),
)
@settings(deadline=None, max_examples=60)
def test_reading_otherwise_gives_the_same_bits(
    read_size: int, batch: int, workers: int, gap: int
) -> None:
    with patch.object(plan, "UNIT", 10_000):
        expected = profile(MIXED, workers=1)
        with patch.object(plan, "BATCH", batch):
            source = MemorySource({FILE: content(MIXED, gap)}, read_size=read_size)
            assert profile(MIXED, source, workers=workers) == expected


def test_a_local_file_gives_the_same_bits(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(content(MIXED, gap=1))  # nothing is aligned
    with LocalSource(str(tmp_path)) as source:
        assert profile(MIXED, source) == profile(MIXED)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", STORED)
def test_a_weight_that_is_not_finite_is_named(dtype: str, value: float) -> None:
    if dtype == "F8_E4M3":
        value = np.nan  # it has no infinity
    bad = matrix(dtype, 96, 96)
    bad[40, 33] = 0x7F if dtype == "F8_E4M3" else stored(np.array([value]), dtype)[0]
    good = Sample(dtype, matrix(dtype, 96, 96), TRANSPOSED, 0)

    with pytest.raises(NonFiniteError) as caught:
        profile([good, Sample(dtype, bad, TRANSPOSED, 1)])

    assert str(caught.value) == f"{FILE}: tensor 'tensor.1': element [40, 33] is {value}"


def test_of_several_such_weights_the_first_in_the_file_is_named() -> None:
    samples = [Sample("F32", matrix("F32", 30_000), whole(Role.Q, 30_000), n) for n in range(20)]
    for sample in samples[3:]:
        sample.elements[7] = np.nan
    with patch.object(plan, "BATCH", 1):
        for workers in (1, 4, 4, 4):
            with pytest.raises(NonFiniteError, match=r"tensor\.3'"):
                profile(samples, workers=workers)


class Failing(MemorySource):
    """Reads that fail from one place of the file on, and how many of its weights were asked for."""

    def __init__(self, files: dict[str, bytes], weights: int, limit: int) -> None:
        super().__init__(files, read_size=1000)
        self.weights, self.limit = weights, limit
        self.reads = 0

    def read_into(self, file: str, start: int, view: memoryview) -> None:
        self.reads += start >= self.weights
        if start >= self.limit:
            raise SourceError(f"{file}: gone")
        super().read_into(file, start, view)


def test_a_failed_read_ends_the_others() -> None:
    samples = [Sample("F32", matrix("F32", 500), whole(Role.Q, 500), n) for n in range(400)]
    file = content(samples)
    weights = len(file) - 400 * 2000
    source = Failing({FILE: file}, weights, limit=weights + 20_000)

    with patch.object(plan, "BATCH", 1), pytest.raises(SourceError, match="gone"):
        profile(samples, source, workers=4)

    assert source.reads < 40


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_no_thread_survives_an_interruption(error: type[BaseException]) -> None:
    samples = [Sample("F32", matrix("F32", 500), whole(Role.Q, 500), n) for n in range(50)]

    def interrupt(done: int, _total: int) -> None:
        if done > 20_000:
            raise error

    with patch.object(plan, "BATCH", 1), pytest.raises(error):
        profile(samples, workers=4, progress=interrupt)

    assert not [t for t in threading.enumerate() if t.name.startswith("fpcheck")]


def test_progress_counts_the_bytes_that_are_measured() -> None:
    calls: list[tuple[int, int]] = []
    source = MemorySource({FILE: content(MIXED)}, read_size=1000)
    with patch.object(plan, "BATCH", 1):
        profile(MIXED, source, progress=lambda *call: calls.append(call))

    size = sum(sample.elements.nbytes for sample in MIXED)
    assert calls[-1] == (size, size)
    assert calls == sorted(calls)
    assert len(calls) > 1
