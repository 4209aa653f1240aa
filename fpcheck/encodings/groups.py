"""Which group of scales each input channel of a matrix belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fpcheck.checkpoint import Tensor
from fpcheck.checkpoint.coding import Fetch, Values
from fpcheck.encodings.modules import UndecodableError
from fpcheck.errors import FormatError

Index = NDArray[np.int64]
# With more neighbouring channels of one group on average, they are taken together.
RUN = 16


@dataclass(frozen=True)
class Groups:
    """`count` groups of `size` neighbouring channels; with an `order`, as that tensor says.

    `whole` says that an order which leaves a group without channels means nothing.
    """

    count: int
    size: int
    order: Tensor | None = None
    whole: bool = False

    def of(self, start: int, stop: int, fetch: Fetch) -> Index:
        """The group of each of the channels `start:stop`. Raises FormatError."""
        if self.order is None:
            return np.arange(start, stop) // self.size
        return self._ordered(self.order, fetch)[start:stop]

    def _ordered(self, order: Tensor, fetch: Fetch) -> Index:
        stored = np.frombuffer(fetch(order, 0, order.stop - order.start), "<i4").astype(np.int64)
        if self.whole and (stored == -1).all():  # never filled in: channels are in order
            return np.arange(stored.size) // self.size
        if stored.min() < 0 or stored.max() >= self.count:
            raise _meaningless(order, f"an entry is not one of the {self.count:,} groups")
        if self.count > 1 and not stored.any():
            raise _meaningless(order, "every entry is 0, which some loaders ignore and some apply")
        if self.whole and np.bincount(stored, minlength=self.count).min() == 0:
            raise _meaningless(order, "a group has no channels")
        return stored


def groups(
    count: int, channels: int, stated: int | None, order: Tensor | None, *, whole: bool = False
) -> Groups:
    """The groups that so many scales make of so many channels.

    `stated` is what the settings say of their size: where it does not fit, equal shares have to.
    Raises UndecodableError when nothing fits.
    """
    if order is not None and order.count == 0:
        order = None
    if order is not None and order.shape != (channels,):
        raise UndecodableError(f"g_idx has shape {list(order.shape)}, not [{channels}]")
    size = channels if stated == -1 else stated
    if size is not None and size > 0 and -(-channels // size) == count:
        return Groups(count, size, order, whole)
    if count < 1 or (channels % count and order is None):
        raise UndecodableError(f"{channels} channels cannot make {count} groups")
    return Groups(count, -(-channels // count), order, whole)


def scaled(codes: Values, zeros: Values | None, scales: Values, place: Index) -> Values:
    """scale × (code − zero), exactly: a row of codes is a channel, `place` the row of its group.

    Codes are overwritten.
    """
    found = codes if codes.dtype == scales.dtype else codes.astype(scales.dtype)
    bounds = np.flatnonzero(np.diff(place, prepend=-1, append=-1))
    if found.shape[0] < RUN * (bounds.size - 1):
        found -= 0 if zeros is None else zeros[place]
        found *= scales[place]
        return found
    for start, stop in pairwise(bounds):
        found[start:stop] -= 0 if zeros is None else zeros[place[start]]
        found[start:stop] *= scales[place[start]]
    return found


def _meaningless(order: Tensor, why: str) -> FormatError:
    return FormatError(
        f"{order.file}: tensor {order.name!r}: {why}", hint="quantise the model again"
    )
