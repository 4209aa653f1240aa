"""The arrays of a tower, from what was put together of its layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fpcheck.signature.arrays import ANCHORS, FORM, QK, VO, Arrays
from fpcheck.signature.assembly import Assembly
from fpcheck.signature.positions import COORDINATES, SAMPLES
from fpcheck.signature.probes import Probe


def gathered(assembly: Assembly, groups: Sequence[int], probe: Probe) -> Arrays:
    """The arrays of the layers that are numbered so."""
    own = {key: value for key, value in assembly.samples.items() if key[0] in groups}
    matrices = sorted({role for (_, role), (v, _) in own.items() if v.size == SAMPLES})
    vectors = sorted({role for (_, role), (v, _) in own.items() if v.size == COORDINATES})
    none = np.zeros(SAMPLES, np.float16), (0, 0)
    missing = np.full(COORDINATES, np.nan, np.float16), (0, 0)
    no_form = np.zeros(FORM, np.int8)
    known = probe.anchored.known if probe.anchored else np.zeros(ANCHORS, np.bool_)
    return Arrays(
        samples={r: np.stack([own.get((g, r), none)[0] for g in groups]) for r in matrices},
        shapes={
            r: np.array([own.get((g, r), none)[1] for g in groups], np.int32) for r in matrices
        },
        forms={
            name: np.stack([assembly.forms.get(g, {}).get(name, no_form) for g in groups])
            for name in (QK, VO)
        }
        if probe.anchored
        else {},
        anchors=known,
        vectors={r: np.stack([own.get((g, r), missing)[0] for g in groups]) for r in vectors},
    )
