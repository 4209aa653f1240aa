"""What a quantisation scheme recognises in a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fpcheck.checkpoint import Checkpoint, Tensor


@dataclass(frozen=True)
class Found:
    """What one scheme recognised.

    `decoded` are its matrices by name, `used` the names of every stored tensor that they stand for,
    `faults` say in words which matrices it recognises and cannot decode, by the matrix's name.
    """

    decoded: Mapping[str, Tensor]
    used: frozenset[str]
    faults: Mapping[str, str]


Scheme = Callable[[Checkpoint], Found]
