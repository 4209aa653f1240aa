"""What units add to a signature: parts of moments, samples, products with the anchors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fpcheck.checkpoint import Tensor
from fpcheck.checkpoint.coding import Block, Values
from fpcheck.errors import NonFiniteError
from fpcheck.fitting import matrix
from fpcheck.layouts import Role
from fpcheck.signature.anchored import Doubles, Left
from fpcheck.signature.decode import Stored, decode
from fpcheck.signature.moments import Part
from fpcheck.signature.sketch import Rectangle, add, rectangles, singles
from fpcheck.signature.targets import Target


class Taken(NamedTuple):
    """Samples of a target: which of the role's, their values, and the shape of the matrix."""

    owner: int
    role: str
    places: NDArray[np.int64]
    values: NDArray[np.float64]
    shape: tuple[int, int]


@dataclass
class Found:
    """What some units add: parts of the moments, samples, and products with the anchors.

    `parts` name the place of a target and one of its roles; `products` are by target.
    """

    parts: list[tuple[int, Role, Part]] = field(default_factory=list)
    samples: list[Taken] = field(default_factory=list)
    products: dict[int, Doubles] = field(default_factory=dict)


def take(found: Found, owner: int, target: Target, stored: Stored, first: int) -> None:
    """Add samples and products of stored elements, the first of which has number `first`."""
    dtype = target.tensor.dtype
    for pick in target.picks():
        low, high = np.searchsorted(pick.elements, (first, first + stored.size))
        values = np.empty(high - low)
        decode(stored[pick.elements[low:high] - first], dtype, values)
        _keep(found, Taken(owner, pick.role, pick.places[low:high], values, pick.shape), target)
    left = target.left()
    if left:
        parts = rectangles(singles(stored, dtype), first, _columns(target))
        _multiply(found, owner, target.tensor, left, parts)


def take_block(found: Found, owner: int, target: Target, values: Values, block: Block) -> None:
    """Add samples and products of a block of values that follow from codes."""
    for pick in target.picks():
        row, column = np.divmod(pick.elements, _columns(target))
        row, column = row - block.row, column - block.column
        inside = (row >= 0) & (row < block.rows) & (column >= 0) & (column < block.columns)
        chosen = values[row[inside], column[inside]].astype(np.float64)
        _keep(found, Taken(owner, pick.role, pick.places[inside], chosen, pick.shape), target)
    left = target.left()
    if left:
        part = Rectangle(block.row, block.column, values.astype(np.float32, copy=False))
        _multiply(found, owner, target.tensor, left, (part,))


def _columns(target: Target) -> int:
    return matrix(target.tensor)[-1] if len(target.tensor.shape) > 1 else 1


def _keep(found: Found, taken: Taken, target: Target) -> None:
    """Note samples. Raises NonFiniteError: of the feed-forward part nothing else is looked at."""
    if not np.isfinite(taken.values).all():
        raise NonFiniteError(
            f"{target.tensor.file}: tensor {target.tensor.name!r}: an element is not finite",
            hint="no statistic of a tensor means anything with such a weight: repair it",
        )
    if taken.values.size:
        found.samples.append(taken)


def _multiply(
    found: Found, owner: int, tensor: Tensor, left: Left, parts: Iterable[Rectangle]
) -> None:
    free = tensor.shape[1 - left.axis]
    total = found.products.setdefault(owner, np.zeros((len(left.matrix), free)))
    for part in parts:
        add(total, left, part)
