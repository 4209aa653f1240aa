"""What is taken of a tower beside its profile, prepared before its weights stream by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.anchors import anchor_ids
from fpcheck.attention import Attention, Tower
from fpcheck.checkpoint import Checkpoint, Tensor
from fpcheck.checkpoint.config import integer
from fpcheck.embedding import AMBIGUOUS, embedding
from fpcheck.feed_forward import Placed, feed_forward
from fpcheck.feeding import Gain, feeding_gains, head_gains, rivals
from fpcheck.fitting import matrix
from fpcheck.heads import HEADS
from fpcheck.layouts import Kind
from fpcheck.signature.anchored import FEWEST, INTO, Anchored, Singles, whitened
from fpcheck.signature.arrays import ANCHORS
from fpcheck.signature.arrays_file import MAX_LAYERS
from fpcheck.signature.elements import rows_of, vector
from fpcheck.signature.rotary import is_paired
from fpcheck.stacks import is_text

MAX_TOWERS = 8  # that arrays are kept of: enough for any model
Gains = Mapping[int, Singles]


@dataclass(frozen=True, eq=False)
class Probe:
    """What is taken of a tower: matrices of its feed-forward parts, and products with anchors.

    `anchored` is None where `fault` says why there are none, `doubt` whether that may be somebody's
    doing; `head` is the size of a query head
    where the config tells, `rotary` that of heads whose rows are stored pair after pair, else 0;
    `q_gains` and `k_gains` are what norms multiply the channels of a head by, layer by layer.
    """

    feed_forward: Mapping[int, tuple[Placed, ...]]
    anchored: Anchored | None
    fault: str
    doubt: bool
    head: int | None
    rotary: int
    q_gains: Gains
    k_gains: Gains


def probes_of(checkpoint: Checkpoint, attention: Attention) -> dict[str, Probe]:
    """A probe of every self-attention tower, by name; of too many, of the text's and the largest.

    Raises SourceError when bytes cannot be had, FormatError for codes that mean nothing.
    """
    own = [tower for tower in attention.towers if tower.kind is Kind.SELF]
    wanted = sorted(own, key=lambda tower: (not is_text(tower.name), -_weights(tower)))
    return {
        tower.name: _probe(checkpoint, tower)
        for tower in wanted[:MAX_TOWERS]
        if len(tower.layers) <= MAX_LAYERS
    }


def _weights(tower: Tower) -> int:
    return sum(piece.tensor.count for layer in tower.layers.values() for piece in layer)


def unanchored(probes: Mapping[str, Probe]) -> list[str]:
    """In words, which towers have no anchored forms because what they need is not there."""
    return [_said(name, probe) for name, probe in probes.items() if probe.fault and not probe.doubt]


def doubtful(probes: Mapping[str, Probe], attention: Attention) -> list[str]:
    """In words, which towers' weights could not be taken although what is needed is there."""
    open_ = [_said(name, probe) for name, probe in probes.items() if probe.doubt]
    left = [t for t in attention.towers if t.kind is Kind.SELF and t.name not in probes]
    return open_ + [f"{tower.name}: its weights are not sampled: too many towers" for tower in left]


def _said(name: str, probe: Probe) -> str:
    return f"{name}: attention forms are not measured: {probe.fault}"


def _probe(checkpoint: Checkpoint, tower: Tower) -> Probe:
    anchored, fault, doubt = None, "", False
    try:
        anchored = _anchored(checkpoint, tower)
    except _UnanchoredError as error:
        fault, doubt = str(error), error.doubt
    head = _head(checkpoint, tower)
    heads = head_gains(checkpoint, tower)
    return Probe(
        feed_forward=feed_forward(checkpoint, tower),
        anchored=anchored,
        fault=fault,
        doubt=doubt,
        head=head,
        rotary=head or 0 if is_paired(tower) else 0,
        q_gains=_gains(checkpoint, {layer: pair[0] for layer, pair in heads.items()}),
        k_gains=_gains(checkpoint, {layer: pair[1] for layer, pair in heads.items()}),
    )


class _UnanchoredError(Exception):
    """Why a tower has no anchored forms, in words; `doubt` when what they need is there."""

    def __init__(self, words: str, *, doubt: bool = False) -> None:
        super().__init__(words)
        self.doubt = doubt


def _anchored(checkpoint: Checkpoint, tower: Tower) -> Anchored:
    width = _width(tower)
    if width is None:
        raise _UnanchoredError("q, k and v are not matrices of one width")
    tensor = embedding(checkpoint, width, tower.name.partition(" (")[0])
    if isinstance(tensor, str):
        raise _UnanchoredError(tensor, doubt=tensor.startswith(AMBIGUOUS))
    rivalry = rivals(checkpoint, tower)
    if rivalry:
        raise _UnanchoredError(rivalry, doubt=True)
    anchors, known = _embedded(checkpoint, tensor)
    return Anchored(anchors, known, _gains(checkpoint, feeding_gains(checkpoint, tower)))


def _embedded(checkpoint: Checkpoint, tensor: Tensor) -> tuple[Singles, NDArray[np.bool_]]:
    found = anchor_ids(checkpoint)
    if found.fault:
        raise _UnanchoredError(found.fault, doubt=bool(found.source))
    ids = [i if i is not None and i < tensor.shape[0] else None for i in found.ids]
    known = np.array([i is not None for i in ids])
    if known.sum() < FEWEST:
        raise _UnanchoredError(
            f"{found.source} has {int(known.sum())} of the {ANCHORS} anchors, {FEWEST} are needed"
        )
    rows = rows_of(checkpoint.source, tensor, [i for i in ids if i is not None])
    try:
        white = whitened(rows)
    except ValueError as error:
        raise _UnanchoredError(f"{tensor.name}: {error}", doubt=True) from None
    anchors = np.zeros((ANCHORS, tensor.shape[1]), np.float32)
    anchors[known] = white
    return anchors, known


def _width(tower: Tower) -> int | None:
    """How many inputs q, k and v take, where all agree."""
    found = {
        matrix(piece.tensor)[0 if piece.transposed else 1]
        for layer in tower.layers.values()
        for piece in layer
        if len(matrix(piece.tensor)) == 2 and INTO & {role for role, _ in piece.pattern.sequence}
    }
    return found.pop() if len(found) == 1 else None


def _head(checkpoint: Checkpoint, tower: Tower) -> int | None:
    """The size of a query head: what the config says, or its share of q."""
    stated = integer(checkpoint.config, "head_dim")
    heads = integer(checkpoint.config, *HEADS)
    if stated or not heads:
        return stated
    width = _width(tower)
    return width // heads if width and width % heads == 0 else None


def _gains(checkpoint: Checkpoint, found: Mapping[int, Gain | None]) -> Gains:
    """The values of gains by layer; where there is none, there is no entry."""
    return {
        layer: (vector(checkpoint.source, gain.tensor) + gain.offset).astype(np.float32)
        for layer, gain in found.items()
        if gain is not None
    }
