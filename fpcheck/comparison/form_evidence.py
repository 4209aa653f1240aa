"""Anchored forms as evidence: scores for a path, and what the layers along it add up to."""

from __future__ import annotations

import math
from statistics import median

import numpy as np
from numpy.typing import NDArray

from fpcheck.calibration import Calibration
from fpcheck.comparison.anchored import FormTable
from fpcheck.comparison.evidence import FormEvidence
from fpcheck.comparison.reached import Pairs, hits
from fpcheck.comparison.samples import diagonal

Table = NDArray[np.float64]
DIGITS = 20.0  # what a correlation beyond the threshold counts on a path, in decimal digits


def form_scores(table: FormTable, calibration: Calibration) -> Table:
    """How far each pair of layers is beyond the threshold, in units of the path's costs."""
    beyond = table.mean - calibration.threshold
    return np.where(beyond >= 0, 1 + DIGITS * beyond, 0.0)  # False for NaN: nothing was measured


def of_forms(table: FormTable, pairs: Pairs, calibration: Calibration) -> FormEvidence:
    """The evidence of forms; `pairs` are the places of the layers that are hits on the path."""
    return FormEvidence(
        qk=_median(table.qk, pairs),
        vo=_median(table.vo, pairs),
        best=float(np.fmax.reduce(table.mean, axis=None)),
        hits=hits(pairs),
        of=min(table.measured),
        threshold=calibration.threshold,
        control=calibration.control,
        controls=calibration.controls,
    )


def _median(table: Table, pairs: Pairs) -> float:
    """Over the pairs; without any, over layers of equal relative depth."""
    rows, columns = zip(*pairs, strict=True) if pairs else diagonal(*table.shape)
    values = [value for value in table[rows, columns].tolist() if not math.isnan(value)]
    return median(values) if values else math.nan
