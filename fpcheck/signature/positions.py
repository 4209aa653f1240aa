"""Where a matrix is sampled: fixed positions that depend on its role and shape, never on its layer.

So any layer can be compared with any other, of any checkpoint. Half of the positions lie in a
block at the beginning of every matrix and are the same for all shapes: they survive rows and
columns that are appended or cut off. The others spread over the whole matrix.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SAMPLES = 256  # a matrix; the first half lies in the common block
COMMON = SAMPLES // 2
EACH = 8  # samples a row: more would make one row's bias felt
RUN = 4  # neighbouring rows, which one read brings
COMMON_ROWS = tuple(first + row for first in (0, 8, 16, 24) for row in range(RUN))
COMMON_COLUMNS = 64
TRIES = 64  # draws a sample; a matrix with so little room left has too few elements
NONE = -1
COORDINATES = 32  # of a vector

Positions = NDArray[np.int64]


@lru_cache(maxsize=1024)
def positions(role: str, rows: int, columns: int) -> Positions:
    """Rows and columns of a role's samples in a matrix of outputs × inputs: (SAMPLES × 2).

    NONE where the matrix is too small for one. The result is shared: do not write to it.
    """
    found = np.full((SAMPLES, 2), NONE)
    common = _common(role)
    inside = (common[:, 0] < rows) & (common[:, 1] < columns)
    found[:COMMON][inside] = common[inside]
    taken = set(map(tuple, found.tolist()))
    draw = draws(f"{role} {rows}x{columns}")
    starts = [next(draw) % max(rows - RUN + 1, 1) for _ in range(COMMON // EACH // RUN)]
    for place in range(COMMON):
        row = starts[place // EACH // RUN] + place // EACH % RUN
        column = _unused(row, columns, taken, draw) if row < rows else NONE
        if column != NONE:
            taken.add((row, column))
            found[COMMON + place] = row, column
    found.setflags(write=False)
    return found


@lru_cache(maxsize=64)
def _common(role: str) -> Positions:
    """The positions that every shape has, those that fit into it: (COMMON × 2)."""
    draw = draws(role)
    taken: set[tuple[int, ...]] = set()
    for row in COMMON_ROWS:
        for _ in range(EACH):
            taken.add((row, _unused(row, COMMON_COLUMNS, taken, draw)))
    return np.array(sorted(taken))


def _unused(row: int, columns: int, taken: set[tuple[int, ...]], draw: Iterator[int]) -> int:
    """A column of a row that no sample has, or NONE: the same element twice proves nothing."""
    tries = (next(draw) % columns for _ in range(TRIES))
    return next((column for column in tries if (row, column) not in taken), NONE)


def draws(name: str) -> Iterator[int]:
    """Numbers of 64 bits that follow from a name and the recipe, on every machine alike."""
    count = 0
    while True:
        block = hashlib.sha256(f"fpcheck/2 {name} {count}".encode()).digest()
        for start in range(0, len(block), 8):
            yield int.from_bytes(block[start : start + 8], "little")
        count += 1


@lru_cache(maxsize=256)
def coordinates(role: str, length: int) -> NDArray[np.int64]:
    """The places of a role's samples in a vector: (COORDINATES), NONE where it is too short.

    Half of them are the first ones, which survive what is appended or cut off.
    """
    found = np.full(COORDINATES, NONE)
    first = min(length, COORDINATES // 2)
    found[:first] = np.arange(first)
    draw = draws(f"{role} {length}")
    rest = sorted({next(draw) % length for _ in range(8 * COORDINATES)} - set(range(first)))
    spread = rest[:: max(len(rest) // (COORDINATES // 2), 1)][: COORDINATES // 2]
    found[COORDINATES // 2 : COORDINATES // 2 + len(spread)] = spread
    found.setflags(write=False)
    return found
