"""What comparing the weights of two towers gives: values that a verdict and a report rest on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
SMALLEST = 1e-99  # of a probability that is printed; what is below says nothing more


@dataclass(frozen=True)
class Aligned:
    """One layer of the checkpoint and the layer of the reference that it stands for.

    Both are layers' numbers. `hit` says whether the evidence of this one layer is significant;
    otherwise the path only passes here.
    """

    layer: int
    reference: int
    hit: bool


@dataclass(frozen=True)
class Alignment:
    """The best path through the table of layers × layers, and in words what it shows.

    `sentence` is in our own words and plain numbers.
    """

    path: tuple[Aligned, ...]
    sentence: str

    @property
    def hits(self) -> int:
        """Layers of the checkpoint whose evidence is significant."""
        return sum(step.hit for step in self.path)


@dataclass(frozen=True)
class SampleEvidence:
    """Signs at fixed positions, in the basis that the weights are stored in.

    `rho` estimates the correlation of the weights over the aligned layers (median), `roles` the
    same by role. `agreements` of `count` signs agree over layers of equal relative depth, which
    has probability `p_equal_depth` for independent weights. `p` is that of the layer that brings
    the significant ones to two thirds, corrected for all pairs of layers; `p_best` that of the
    best layer, likewise. `p_holm` and `p_best_holm` are corrected for all references and kinds of
    evidence too, by Holm's method. `hits` of the `of` layers of the shallower tower are
    significant.
    """

    rho: float
    roles: Mapping[str, float]
    agreements: int
    count: int
    p_equal_depth: float
    p: float
    p_best: float
    p_holm: float
    p_best_holm: float
    hits: int
    of: int


@dataclass(frozen=True)
class FormEvidence:
    """Anchored attention forms, which no function-preserving change of basis alters.

    `qk` and `vo` are correlations, medians over the aligned layers (NaN where there is none);
    `best` is the highest of any pair of layers. A layer is a hit from `threshold` on: the highest
    that any pair of controls reaches, `control` of `controls` pairs, and a margin. `mantel` is the
    probability of as high a correlation with the anchors' labels shuffled: context, for strangers
    that learned from the same text reach small ones too.
    """

    qk: float
    vo: float
    best: float
    hits: int
    of: int
    threshold: float
    control: float
    controls: int
    mantel: float | None = None


@dataclass(frozen=True)
class WeightEvidence:
    """What the weights of one tower say of one reference.

    `table` is layers × layers of the reference, in [-1, 1]: the evidence that the path follows
    (`kind` names it, "samples" or "forms"), as a report draws it. `along` is the profile's
    correlation along the path, raw and detrended; `vectors` are centred correlations of gains and
    biases by role, None where they are constant (folded). `same` says that every sample is the
    reference's, up to the rounding of a dtype.
    """

    tower: str
    reference_tower: str
    samples: SampleEvidence | None
    forms: FormEvidence | None
    alignment: Alignment | None
    kind: str
    table: Scores = field(compare=False)
    along: tuple[float, float] | None = None
    vectors: Mapping[str, float | None] = field(default_factory=dict)
    same: bool = False


@dataclass(frozen=True)
class Parent:
    """A reference among the parents of a merge, and its share."""

    id: str
    share: float
    rho: float


@dataclass(frozen=True)
class Merge:
    """The sum-to-one combination of references that comes nearest to the checkpoint's weights.

    `residual` is what is left of the weights' variance, `alone` what the best parent alone leaves.
    """

    parents: tuple[Parent, ...]
    residual: float
    alone: float


def p_value(value: float) -> str:
    """A probability in words: one digit and its power of ten, or that it is below the smallest."""
    if math.isnan(value):
        return "p undefined"
    if value < SMALLEST:
        return f"p < {SMALLEST:.0e}"
    return f"p = {value:.0e}" if value < 0.001 else f"p = {min(value, 1.0):.2g}"
