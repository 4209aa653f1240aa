"""The compact statistics of a checkpoint: plain values, and nothing about how they were got."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from fpcheck.layouts import MATRICES, Kind, Role
from fpcheck.signature.arrays import Arrays
from fpcheck.source import Origin, SourceFile

# Bump when any number could change; never reuse. profile/2 reads more layouts than profile/1 did,
# and of layers that use another's keys and values, those; fpcheck/2 adds arrays to the profile.
RECIPE = "fpcheck/2"
RECIPES = ("profile/1", "profile/2", RECIPE)  # what is still read: the moments mean the same


@dataclass(frozen=True)
class Moments:
    """Count, mean and population standard deviation of the elements that serve one role.

    `mean` is None where only the standard deviation was published.
    """

    count: int
    mean: float | None
    std: float


@dataclass(frozen=True)
class TowerProfile:
    """The moments of one tower: for each role one value a layer, None where the layer lacks it.

    `arrays` is what else is kept of it; None where only the profile is known.
    """

    name: str
    layout: str
    kind: Kind
    layers: tuple[int, ...]
    roles: Mapping[Role, tuple[Moments | None, ...]]
    arrays: Arrays | None = field(default=None, compare=False)

    @cached_property
    def weights(self) -> int:
        """Number of attention weights measured."""
        return sum(
            moments.count
            for role in MATRICES
            for moments in self.roles.get(role, ())
            if moments is not None
        )


@dataclass(frozen=True)
class Signature:
    """What is kept of a checkpoint.

    `unmeasured` says in words which attention could not be measured and why, `notes` what else a
    reader of the numbers must know; `towers` is () when nothing could be measured.
    """

    recipe: str
    origin: Origin
    model_type: str
    files: tuple[SourceFile, ...]
    towers: tuple[TowerProfile, ...]
    unmeasured: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def weight_digests(self) -> tuple[str, ...] | None:
        """The SHA-256 digests of the weight files, sorted; None when one is not known."""
        found = [f.digest for f in self.files if f.name.endswith(".safetensors")]
        known = [d for d in found if d and d.startswith("sha256:")]
        return tuple(sorted(known)) if known and len(known) == len(found) else None
