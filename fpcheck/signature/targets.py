"""What is wanted of each stored tensor: moments, samples, a product with the anchors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fpcheck.attention import Piece, Tower
from fpcheck.checkpoint import Tensor
from fpcheck.feed_forward import Placed
from fpcheck.layouts import Role
from fpcheck.signature.anchored import Left
from fpcheck.signature.grids import Grid, grid_of, grids
from fpcheck.signature.positions import NONE, coordinates, positions
from fpcheck.signature.probes import Probe
from fpcheck.signature.rotary import in_halves


class Pick(NamedTuple):
    """Elements wanted of a tensor: their numbers in it, in order, and their places among samples.

    `shape` is that of the role's matrix, (length, 1) of a vector.
    """

    role: str
    elements: NDArray[np.int64]
    places: NDArray[np.int64]
    shape: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Target:
    """One tensor of one layer, and what is wanted of it.

    Of `piece` the moments are wanted, and with a `probe` samples and the product with the anchors;
    of `placed`, a matrix of the feed-forward part, samples are all that is wanted. `group` numbers
    the layers of all towers: what one layer needs is read together. `depth` is the layer's number.
    """

    group: int
    depth: int
    tensor: Tensor
    piece: Piece | None
    placed: Placed | None
    probe: Probe | None

    def picks(self) -> list[Pick]:
        """The elements that are samples."""
        if self.placed:
            return [_of_grid(grid_of(self.placed))]
        if self.piece is None or self.probe is None:
            return []
        if len(self.tensor.shape) == 1:
            return list(_of_vector(self.piece))
        return [_of_grid(in_halves(grid, self.probe.rotary)) for grid in grids(self.piece)]

    def left(self) -> Left | None:
        """What its matrix is multiplied by from the left, and along which stored axis."""
        anchored = self.probe.anchored if self.probe else None
        return anchored.left(self.depth, self.piece) if anchored and self.piece else None


def targets(towers: Sequence[Tower], probes: Mapping[str, Probe]) -> tuple[Target, ...]:
    """Every target, tower by tower and layer by layer; `probes` by tower say what else to take."""
    found: list[Target] = []
    group = 0
    for tower in towers:
        probe = probes.get(tower.name)
        for layer in sorted(tower.layers):
            for piece in tower.layers[layer]:
                found.append(Target(group, layer, piece.tensor, piece, None, probe))
            for placed in probe.feed_forward.get(layer, ()) if probe else ():
                found.append(Target(group, layer, placed.tensor, None, placed, probe))
            group += 1
    return tuple(found)


def _of_grid(grid: Grid) -> Pick:
    wanted = positions(grid.role, *grid.shape)
    (known,) = np.nonzero(wanted[:, 0] != NONE)
    elements = grid.rows[wanted[known, 0]] + grid.columns[wanted[known, 1]]
    order = np.argsort(elements)
    return Pick(grid.role, elements[order], known[order], grid.shape)


def _of_vector(piece: Piece) -> Iterator[Pick]:
    for role in dict.fromkeys(role for role, _ in piece.pattern.sequence):
        own = np.concatenate([np.arange(a, b) for each, a, b in _runs(piece) if each is role])
        wanted = coordinates(role, own.size)
        (known,) = np.nonzero(wanted != NONE)
        elements = own[wanted[known]]
        order = np.argsort(elements)
        yield Pick(role, elements[order], known[order], (own.size, 1))


def _runs(piece: Piece) -> Iterator[tuple[Role, int, int]]:
    place = 0
    for role, length in piece.pattern.sequence * piece.pattern.repeats:
        yield role, place, place + length
        place += length
