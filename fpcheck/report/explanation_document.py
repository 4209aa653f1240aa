"""How a checkpoint was understood as JSON, `fpcheck.layouts/1`: every pattern, for machines."""

from __future__ import annotations

from typing import Any

from fpcheck import __version__
from fpcheck.coverage import Coverage
from fpcheck.explain import Explanation, Group, TowerRead
from fpcheck.explain.meanings import Meaning
from fpcheck.signature.file import canonical
from fpcheck.source import Origin

FORMAT = "fpcheck.layouts/1"


def render(origin: Origin, explanation: Explanation) -> str:
    """The explanation as JSON text; `schemas/layouts.schema.json` describes it."""
    return canonical(
        {
            "format": FORMAT,
            "fpcheck": __version__,
            "origin": {"name": origin.name, "commit": origin.commit},
            "model_type": explanation.model_type,
            "towers": [_tower(tower) for tower in explanation.towers],
            "coverage": _coverage(explanation.covered),
            "unmeasured": list(explanation.unmeasured),
            "notes": list(explanation.notes),
            "unknown": [_group(group) for group in explanation.unknown],
            "others": [_group(group) for group in explanation.others],
        }
    )


def _tower(tower: TowerRead) -> dict[str, Any]:
    return {
        "name": tower.name,
        "kind": tower.kind,
        "layouts": list(tower.layouts),
        "layers": list(tower.layers),
        "tensors": [
            _group(group) | _meaning(group.meaning) for group in tower.tensors if group.meaning
        ],
        "lent": [
            {"layers": list(lent.layers), "source": lent.source, "roles": list(lent.roles)}
            for lent in tower.lent
        ],
    }


def _group(group: Group) -> dict[str, Any]:
    return {
        "names": str(group.names),
        "numbers": [sorted(numbers) for numbers in group.names.numbers],
        "count": group.count,
        "weights": group.weights,
        "shape": None if group.shape is None else list(group.shape),
        "dtype": group.dtype,
        "stored": list(group.stored),
    }


def _meaning(meaning: Meaning) -> dict[str, Any]:
    return {
        "roles": list(meaning.roles),
        "holds": meaning.holds or None,
        "transposed": meaning.transposed,
        "shares": [
            {
                "along": share.along,
                "repeats": share.repeats,
                "sequence": [{"role": role, "length": length} for role, length in share.sequence],
            }
            for share in meaning.shares
        ],
    }


def _coverage(covered: Coverage) -> dict[str, Any]:
    return {
        "stack": covered.stack,
        "layers": sorted(covered.layers),
        "measured": sorted(covered.measured),
        "without": {str(layer): kind for layer, kind in covered.without.items()},
    }
