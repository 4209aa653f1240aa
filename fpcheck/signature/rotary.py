"""The order of q's and k's rows, which two families of files store differently.

Rotary positions turn pairs of rows. transformers stores the first of all pairs of a head, then the
second of all; Meta's own files store pair after pair. Samples are taken in the first order, so that
converting a file changes none. What llama.cpp's conversion reorders is in order once it is decoded.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fpcheck.attention import Tower
from fpcheck.layouts import Role
from fpcheck.signature.grids import Grid

META = frozenset({"meta", "meta, projected"})  # layouts


def is_paired(tower: Tower) -> bool:
    """Whether a tower's q and k are stored pair after pair."""
    return tower.layout in META


def in_halves(grid: Grid, head: int) -> Grid:
    """The grid with its rows in transformers' order; `head` is the size of a paired head, or 0."""
    if grid.role not in (Role.Q, Role.K) or head < 2 or head % 2 or grid.rows.size % head:
        return grid
    by_head = grid.rows.reshape(-1, head // 2, 2)  # head, pair, which of the two
    return replace(grid, rows=np.swapaxes(by_head, 1, 2).reshape(-1))
