"""What a signature keeps of a tower beside its profile: samples, anchored forms, vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ANCHORS = 64  # tokens; a form has one row and one column for each
FORM = ANCHORS * ANCHORS
QK, VO = "qk", "vo"  # the two forms of a layer

Halves = NDArray[np.float16]
Bytes = NDArray[np.int8]
Sizes = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Arrays:
    """The arrays of one tower; the first axis is the tower's layers, in its order.

    `samples` by role: (layers × up to SAMPLES) stored values at `positions`, 0 where there is none;
    `shapes` by role: (layers × 2) outputs and inputs of the matrix that was sampled, 0 without.
    `forms` by QK and VO: (layers × up to FORM) entries of the anchored forms in the recipe's
    order, scaled to the range of a byte, all 0 in a layer without; `anchors` (ANCHORS) says which
    tokens the vocabulary has. `vectors` by role: (layers × up to COORDINATES) elements of gains and
    biases, NaN where there is none.
    """

    samples: Mapping[str, Halves]
    shapes: Mapping[str, Sizes]
    forms: Mapping[str, Bytes]
    anchors: NDArray[np.bool_]
    vectors: Mapping[str, Halves]

    @property
    def has_forms(self) -> bool:
        """Whether any layer has an anchored form."""
        return any(form.any() for form in self.forms.values())
