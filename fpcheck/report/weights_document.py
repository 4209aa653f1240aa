"""The evidence of weights as JSON values, every number of it.

A p-value below the smallest float is 0.0: it is below 1e-307, not zero.
"""

from __future__ import annotations

import math
from typing import Any

from fpcheck.comparison.evidence import (
    Alignment,
    FormEvidence,
    Merge,
    SampleEvidence,
    Scores,
    WeightEvidence,
)

TABLE_DIGITS = 3  # of the table's scores: a picture needs no more


def weights(evidence: WeightEvidence, *, with_table: bool = False) -> dict[str, Any]:
    """One tower's evidence; the table only on demand, for it is the largest part by far."""
    return {
        "tower": evidence.tower,
        "reference_tower": evidence.reference_tower,
        "same": evidence.same,
        "samples": _samples(evidence.samples),
        "forms": _forms(evidence.forms),
        "alignment": _alignment(evidence.alignment),
        "kind": evidence.kind,
        "along": evidence.along
        and {"raw": number(evidence.along[0]), "detrended": number(evidence.along[1])},
        "vectors": {role: _optional(value) for role, value in evidence.vectors.items()},
        "table": _table(evidence.table) if with_table else None,
    }


def merge(found: Merge | None) -> dict[str, Any] | None:
    """The combination of references that comes nearest."""
    if found is None:
        return None
    return {
        "parents": [
            {"reference": parent.id, "share": number(parent.share), "rho": number(parent.rho)}
            for parent in found.parents
        ],
        "residual": number(found.residual),
        "alone": number(found.alone),
    }


def number(value: float) -> float | None:
    """Six decimals: what arithmetic on another machine may still move is not printed."""
    return None if math.isnan(value) else round(float(value), 6) + 0.0


def _samples(found: SampleEvidence | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "rho": number(found.rho),
        "roles": {role: number(rho) for role, rho in found.roles.items()},
        "agreements": found.agreements,
        "count": found.count,
        "p_equal_depth": _probability(found.p_equal_depth),
        "p": _probability(found.p),
        "p_best": _probability(found.p_best),
        "p_holm": _probability(found.p_holm),
        "p_best_holm": _probability(found.p_best_holm),
        "hits": found.hits,
        "of": found.of,
    }


def _forms(found: FormEvidence | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "qk": number(found.qk),
        "vo": number(found.vo),
        "best": number(found.best),
        "hits": found.hits,
        "of": found.of,
        "threshold": number(found.threshold),
        "control": number(found.control),
        "controls": found.controls,
        "mantel": None if found.mantel is None else _probability(found.mantel),
    }


def _alignment(found: Alignment | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "sentence": found.sentence,
        "hits": found.hits,
        "path": [[step.layer, step.reference, step.hit] for step in found.path],
    }


def _table(table: Scores) -> list[list[float | None]]:
    return [
        [None if math.isnan(score) else round(score, TABLE_DIGITS) + 0.0 for score in row]
        for row in table.tolist()
    ]


def _optional(value: float | None) -> float | None:
    return None if value is None else number(value)


def _probability(p: float) -> float | None:
    """Three digits."""
    return None if math.isnan(p) else float(f"{p:.3g}")
