"""What units added, put together: moments by target, samples by layer, forms by layer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fpcheck.layouts import Role
from fpcheck.signature.anchored import Doubles, Singles
from fpcheck.signature.arrays import FORM, QK, VO, Bytes, Halves
from fpcheck.signature.forms import form, packed
from fpcheck.signature.found import Found, Taken
from fpcheck.signature.grids import channels
from fpcheck.signature.moments import Part, merge
from fpcheck.signature.positions import COORDINATES, SAMPLES
from fpcheck.signature.probes import Probe
from fpcheck.signature.targets import Target

LARGEST = float(np.finfo(np.float16).max)
SMALLEST = float(np.finfo(np.float16).smallest_subnormal)


class Assembly:
    """Takes what batches found, in order; a layer's products are dropped once its forms are made.

    `samples` are by layer and role: values, and the shape of the matrix. `forms` are by layer.
    """

    def __init__(self, targets: Sequence[Target]) -> None:
        self.parts: list[dict[Role, Part]] = [{} for _ in targets]
        self.samples: dict[tuple[int, str], tuple[Halves, tuple[int, int]]] = {}
        self.forms: dict[int, dict[str, Bytes]] = {}
        self._targets = targets
        self._products: dict[int, Doubles] = {}
        self._left = [t.piece.pattern.length if t.piece else 0 for t in targets]
        self._owners: dict[int, list[int]] = defaultdict(list)
        self._sampled: dict[tuple[int, str], int] = {}
        for owner, target in enumerate(targets):
            if target.left():
                self._owners[target.group].append(owner)
            for pick in target.picks():  # the first one's, in whatever order files have them
                self._sampled.setdefault((target.group, pick.role), owner)

    def take(self, found: Found) -> None:
        """Add what a batch found."""
        for taken in found.samples:
            self._keep(taken)
        for owner, product in found.products.items():
            known = self._products.get(owner)
            self._products[owner] = product if known is None else known + product
        for owner, role, part in found.parts:
            own = self.parts[owner]
            own[role] = merge((own[role], part)) if role in own else part
            self._left[owner] -= part.count
        for owner in found.products:
            self._finish(self._targets[owner].group)

    def _keep(self, taken: Taken) -> None:
        """Note samples; of a role that several tensors of a layer serve, the first one's."""
        target = self._targets[taken.owner]
        key = target.group, taken.role
        if self._sampled[key] != taken.owner:
            return
        if key not in self.samples:
            room = COORDINATES if len(target.tensor.shape) == 1 else SAMPLES
            empty = np.full(room, np.nan if room == COORDINATES else 0, np.float16)
            self.samples[key] = empty, taken.shape
        values, _ = self.samples[key]
        values[taken.places] = _halves(taken.values)

    def _finish(self, group: int) -> None:
        """Make a layer's forms, once all of its products are there."""
        owners = self._owners[group]
        if any(self._left[owner] for owner in owners) or group in self.forms:
            return
        columns: dict[Role, Doubles | None] = {}
        for owner in owners:
            for role, own in _columns(self._targets[owner], self._products.pop(owner)).items():
                columns[role] = None if role in columns else own  # of two tensors: which order?
        probe = self._targets[owners[0]].probe
        if probe and probe.anchored:
            depth = self._targets[owners[0]].depth
            with np.errstate(all="ignore"):  # of what overflows nothing is kept
                self.forms[group] = _forms(columns, probe, depth, probe.anchored.known)


def _halves(values: Doubles) -> Doubles:
    """Values in the range of float16: whatever a matrix is multiplied by, signs are kept."""
    small = np.copysign(np.maximum(np.abs(values), SMALLEST), values)
    kept: Doubles = np.where(values == 0, 0.0, small).clip(-LARGEST, LARGEST)
    return kept


def _columns(target: Target, product: Doubles) -> Mapping[Role, Doubles]:
    """The product's columns that are each role's channels, in their order."""
    piece, left = target.piece, target.left()
    if piece is None or left is None:
        return {}
    found: dict[Role, Doubles] = {}
    roles = dict.fromkeys(role for role, _ in piece.pattern.sequence)
    for role in (Role.Q, Role.K, Role.V, Role.O):
        if role in roles:
            axis, own = channels(piece, role)
            whole = len(roles) == 1 or axis == left.axis
            found[role] = product if whole else product[:, own]
    return found


def _forms(
    columns: Mapping[Role, Doubles | None], probe: Probe, depth: int, known: NDArray[np.bool_]
) -> dict[str, Bytes]:
    q, k = columns.get(Role.Q), columns.get(Role.K)
    v, o = columns.get(Role.V), columns.get(Role.O)
    none = np.zeros(FORM, np.int8)
    found = {QK: none, VO: none}
    if q is not None and k is not None:
        q, k = _scaled(q, probe.q_gains.get(depth)), _scaled(k, probe.k_gains.get(depth))
        raw = form(q, k, probe.head)
        found[QK] = none if raw is None else packed(raw, known)
    if v is not None and o is not None:
        raw = form(o, v, probe.head)  # o has a column for each query head, v for each key's
        found[VO] = none if raw is None else packed(raw.T, known)
    return found


def _scaled(columns: Doubles, gain: Singles | None) -> Doubles:
    """Channels times the gains of their head's norm, where it has any that fit."""
    if gain is None or columns.shape[1] % gain.size:
        return columns
    return columns * np.tile(gain, columns.shape[1] // gain.size)
