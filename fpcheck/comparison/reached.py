"""How many layers must show descent, and which level evidence reaches."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fpcheck.comparison.evidence import WeightEvidence
from fpcheck.comparison.levels import Level

FEW = 2  # layers whose forms are hits: of one alone, chance has made none yet, but might

Pairs = Sequence[tuple[int, int]]  # places of layers, of the checkpoint and of the reference


def needed(depth: int, others: int) -> int:
    """How many layers must be hits for a whole model's descent: two thirds of the shallower one."""
    return math.ceil(2 * min(depth, others) / 3)


def hits(pairs: Pairs) -> int:
    """How many layers of the shallower tower are hits: a repeated layer counts once."""
    return min(len({i for i, _ in pairs}), len({j for _, j in pairs}))


def level_of(evidence: WeightEvidence) -> Level:
    """The level that the evidence of one tower's weights reaches."""
    samples, forms = evidence.samples, evidence.forms
    if evidence.same:
        return Level.IDENTICAL
    if samples and samples.hits >= needed(samples.of, samples.of):
        return Level.DERIVED
    if forms and forms.hits and forms.hits >= needed(forms.of, forms.of):
        return Level.TRANSFORMED
    few = bool(samples and samples.hits) or bool(forms and forms.hits >= FEW)
    return Level.PARTIAL if few else Level.NONE


def strength(evidence: WeightEvidence) -> float:
    """How much of the reference is seen: the larger of ρ and of the forms' correlation."""
    samples, forms = evidence.samples, evidence.forms
    found = [samples.rho if samples else 0.0]
    found += [forms.qk, forms.vo] if forms and forms.hits else []
    return max((value for value in found if not math.isnan(value)), default=0.0)
