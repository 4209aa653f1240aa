"""Where samples are taken: fixed by role and shape, spread, and fair to strangers."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fpcheck.signature.positions import (
    COMMON,
    COMMON_COLUMNS,
    COMMON_ROWS,
    COORDINATES,
    EACH,
    NONE,
    SAMPLES,
    coordinates,
    positions,
)

ROLES = ("q", "k", "v", "o", "ff.gate", "ff.up", "ff.down")
roles = st.sampled_from(ROLES)
sizes = st.one_of(st.integers(1, 80), st.integers(1, 40_000))


def known(role: str, rows: int, columns: int) -> np.ndarray:
    found = positions(role, rows, columns)
    return found[found[:, 0] != NONE]


@given(roles, sizes, sizes)
@example("q", 1, 1)
@example("q", 3, 5)
@example("q", 32, 64)
@settings(max_examples=60, deadline=None)
def test_every_position_is_an_element_and_none_comes_twice(
    role: str, rows: int, columns: int
) -> None:
    found = positions(role, rows, columns)
    own = known(role, rows, columns)

    assert found.shape == (SAMPLES, 2)
    assert ((found == NONE).all(axis=1) == (found == NONE).any(axis=1)).all()
    assert (own >= 0).all()
    assert (own < (rows, columns)).all()
    assert len({(i, j) for i, j in own.tolist()}) == len(own)
    assert 0 < len(own) <= min(SAMPLES, rows * columns)


@given(roles, sizes, sizes, sizes, sizes)
@settings(max_examples=60, deadline=None)
def test_the_common_block_is_that_of_every_shape(
    role: str, rows: int, columns: int, more_rows: int, more_columns: int
) -> None:
    one, other = (
        positions(role, *shape)[:COMMON] for shape in ((rows, columns), (more_rows, more_columns))
    )
    both = (one[:, 0] != NONE) & (other[:, 0] != NONE)

    assert np.array_equal(one[both], other[both])
    assert (one[both[:, None].repeat(2, 1)] < COMMON_COLUMNS).all()


def test_matrices_that_are_large_enough_have_every_sample() -> None:
    for role in ROLES:
        for shape in ((32, 64), (28, 64), (64, 100), (576, 1536), (14_336, 4_096)):
            if min(shape) >= 64:
                assert len(known(role, *shape)) == SAMPLES
            assert (positions(role, *shape)[:COMMON] != NONE).all()
        rows, counts = np.unique(positions(role, 5000, 5000)[:, 0], return_counts=True)
        assert counts.max() <= 3 * EACH
        assert len(rows) >= len(COMMON_ROWS) + 8


def test_the_others_spread_over_the_whole_matrix() -> None:
    found = np.concatenate([positions(role, 4000, 8000)[COMMON:] for role in ROLES])

    assert found[:, 0].min() < 800
    assert found[:, 0].max() > 3200
    assert np.histogram(found[:, 1], bins=8, range=(0, 8000))[0].min() > 60


def test_roles_and_shapes_have_positions_of_their_own() -> None:
    shapes = ((512, 512), (512, 513), (513, 512))
    found = [positions(role, *shape)[COMMON:].tobytes() for role in ROLES for shape in shapes]
    common = [positions(role, 512, 512)[:COMMON].tobytes() for role in ROLES]

    assert len(set(found)) == len(found)
    assert len(set(common)) == len(common)


def test_they_never_change() -> None:
    digest = hashlib.sha256()
    for role in ("q", "ff.down", "o"):
        for shape in ((1, 1), (3, 5), (64, 64), (4096, 11_008)):
            digest.update(positions(role, *shape).astype("<i8").tobytes())
        digest.update(coordinates(role, 4096).astype("<i8").tobytes())

    # Whoever changes this changes every sample of every reference: it needs a new recipe.
    assert digest.hexdigest() == (
        "8317097957cbb75c47dd29e67d97894e2bcaa9f5387b2b48a5c22312ea05f4b5"
    )


def test_nobody_can_write_to_what_everybody_shares() -> None:
    with pytest.raises(ValueError, match="read-only"):
        positions("q", 64, 64)[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        coordinates("norm", 64)[0] = 0


@given(st.sampled_from(("norm", "q.bias")), st.integers(1, 20_000))
@settings(max_examples=60, deadline=None)
def test_coordinates_of_a_vector(role: str, length: int) -> None:
    found = coordinates(role, length)
    own = found[found != NONE].tolist()

    assert found.shape == (COORDINATES,)
    assert len(set(own)) == len(own) <= length
    assert all(0 <= place < length for place in own)
    first = COORDINATES // 2
    assert own[: min(first, length)] == list(range(min(first, length)))
    assert length < 4 * COORDINATES or len(own) == COORDINATES


def a_stranger(random: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """A matrix with heavy tails, rows and columns of their own level, and columns of outliers."""
    spread = random.lognormal(0, 0.5, (rows, 1)) * random.lognormal(0, 0.5, (1, columns))
    matrix = random.standard_t(3, (rows, columns)) * spread
    matrix += random.normal(0, 0.3, (rows, 1)) * spread + random.normal(0, 0.3, (1, columns))
    matrix[:, random.integers(columns, size=3)] += random.normal(0, 20, 3)
    matrix[random.integers(rows, size=2)] += random.normal(0, 5, (2, 1))
    return matrix


@pytest.mark.parametrize("shape", [(96, 160), (256, 128)])
def test_signs_of_strangers_agree_as_a_coin_would(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(5)
    z = []
    for role in ROLES:
        rows, columns = positions(role, *shape).T
        signs = np.sign([a_stranger(random, *shape)[rows, columns] for _ in range(32)])
        table = signs[:16] @ signs[16:].T / np.sqrt(SAMPLES)
        z.append(table.ravel())
    found = np.concatenate(z)

    # 1,792 pairs; not all independent, so the bounds are wide: at 1.3, a million would still be
    # safe at p < 1e-9.
    assert abs(found.mean()) < 0.1
    assert 0.85 < found.var() < 1.25
    assert np.abs(found).max() < 5.5
