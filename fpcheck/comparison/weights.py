"""What the weights of two towers say, kind by kind, and along which path of layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fpcheck.calibration import Calibration
from fpcheck.comparison.alignment import align
from fpcheck.comparison.anchored import Forms, FormTable, form_table, mantel
from fpcheck.comparison.evidence import Alignment, WeightEvidence
from fpcheck.comparison.form_evidence import form_scores, of_forms
from fpcheck.comparison.path import along
from fpcheck.comparison.same import same_values
from fpcheck.comparison.sample_evidence import of_samples, sample_scores
from fpcheck.comparison.samples import SampleTable, Signs, sample_table
from fpcheck.comparison.vectors import vector_correlations
from fpcheck.signature import TowerProfile
from fpcheck.signature.arrays import Arrays

Table = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Weights:
    """A tower's arrays, ready to be compared with many others."""

    tower: TowerProfile
    arrays: Arrays
    signs: Signs
    forms: Forms


def weights_of(tower: TowerProfile) -> Weights | None:
    """A tower's arrays; None where only its profile is known."""
    own = tower.arrays
    return Weights(tower, own, Signs(own), Forms(own)) if own else None


def weight_evidence(
    one: Weights, other: Weights, calibration: Calibration, looks: int
) -> WeightEvidence | None:
    """The evidence of two towers; None where nothing of them can be compared.

    `looks` is how many pairs of towers are compared, which the probabilities are corrected for.
    """
    samples = sample_table(one.signs, other.signs)
    forms = form_table(one.forms, other.forms)
    if not samples.counts.any() and forms is None:
        return None
    signs = sample_scores(samples, looks)
    shapes = None if forms is None else form_scores(forms, calibration)
    paths = {
        kind: align(scores, one.tower.layers, other.tower.layers, measured)
        for kind, scores, measured in (
            ("samples", signs, None),
            ("forms", shapes, forms.measured[0] if forms else None),
        )
        if scores is not None and np.any(scores > 0)
    }
    # What is in the same basis is seen sharper there: the forms lead where samples see less.
    kind = max(paths, key=lambda name: (paths[name].hits, name == "samples"), default="samples")
    alignment = paths.get(kind)
    every = {name: _pairs(path, one, other) for name, path in paths.items()}
    pairs = every.get(kind, [])
    return WeightEvidence(
        tower=one.tower.name,
        reference_tower=other.tower.name,
        samples=of_samples(samples, every.get("samples", []), one.arrays, other.arrays, looks),
        forms=of_forms(forms, every.get("forms", []), calibration) if forms else None,
        alignment=alignment,
        kind=kind,
        table=_drawn(kind, samples, forms),
        along=along(one.tower, other.tower, pairs) if pairs else None,
        vectors=vector_correlations(one.arrays, other.arrays, pairs) if pairs else {},
        same=bool(pairs) and _is_same(one, other, pairs),
    )


def _pairs(alignment: Alignment, one: Weights, other: Weights) -> list[tuple[int, int]]:
    """The places of the layers that the hits of a path are about."""
    own = {layer: place for place, layer in enumerate(one.tower.layers)}
    theirs = {layer: place for place, layer in enumerate(other.tower.layers)}
    return [(own[s.layer], theirs[s.reference]) for s in alignment.path if s.hit]


def with_mantel(evidence: WeightEvidence, one: Weights, other: Weights) -> WeightEvidence:
    """The evidence with the Mantel value of a layer in the middle of those that are aligned.

    It takes some time, so only what is shown gets one.
    """
    forms, path = evidence.forms, evidence.alignment
    table = form_table(one.forms, other.forms) if forms and forms.hits and path else None
    if forms is None or path is None or table is None:
        return evidence
    pairs = [pair for pair in _pairs(path, one, other) if not math.isnan(table.mean[pair])]
    if not pairs:
        return evidence
    value = mantel(one.arrays, other.arrays, *pairs[len(pairs) // 2])
    return replace(evidence, forms=replace(forms, mantel=value))


def _is_same(one: Weights, other: Weights, pairs: Sequence[tuple[int, int]]) -> bool:
    """Whether every layer of the reference is there in its place, unchanged but for rounding."""
    if not other.arrays.samples.keys() <= one.arrays.samples.keys():
        return False  # a role that the checkpoint lacks, or stores in a way that is not known
    everywhere = [(place, place) for place in range(len(other.tower.layers))]
    return pairs[: len(everywhere)] == everywhere and same_values(one.arrays, other.arrays, pairs)


def _drawn(kind: str, samples: SampleTable, forms: FormTable | None) -> Table:
    if kind == "forms" and forms is not None:
        return forms.mean
    return samples.excess
