"""The JSON report, `fpcheck.report/1`: every number, for machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fpcheck import __version__
from fpcheck.check import Check
from fpcheck.comparison import Level, Match
from fpcheck.comparison.background import Background
from fpcheck.comparison.profile import ProfileScore
from fpcheck.policy import Policy, Threshold
from fpcheck.report import view, weights_document
from fpcheck.report.weights_document import number as _number
from fpcheck.signature import Signature
from fpcheck.signature.file import canonical, to_json
from fpcheck.verdict import Finding

FORMAT = "fpcheck.report/1"
COMPARISON_FORMAT = "fpcheck.comparison/1"


def render(check: Check) -> str:
    """The report as JSON text, the same bytes for the same check."""
    return canonical(document(check))


def document(check: Check) -> dict[str, Any]:
    """The report as plain JSON values; what is undefined or was not measured is null."""
    return {
        "format": FORMAT,
        "fpcheck": __version__,
        "outcome": check.verdict.outcome,
        "exit_code": check.exit_code,
        "level": view.level(check),
        "findings": [_finding(finding) for finding in check.verdict.findings],
        "notes": [_finding(finding) for finding in check.verdict.notes],
        "matches": None if check.matches is None else _matches(check, check.matches),
        "merge": weights_document.merge(check.merge),
        "declared": [{"id": i, "by": by} for i, by in view.declared(check)],
        "signature": to_json(check.signature),
        "policy": _policy(check.policy),
        "library": {
            "digest": check.library.digest,
            "references": len(check.library.references),
        },
        "reproduce": view.reproduce(check),
    }


def comparison(one: Signature, other: Signature, found: Match | None) -> str:
    """Two signatures against each other as JSON text."""
    return canonical(
        {
            "format": COMPARISON_FORMAT,
            "one": str(one.origin),
            "other": str(other.origin),
            "level": found.level if found else Level.NONE,
            "identical": found.identical or None if found else None,
            "profile": _profile(found.profile) if found else None,
            "weights": _weights(found, with_table=True) if found else [],
        }
    )


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "outcome": finding.outcome,
        "reference": finding.reference or None,
        "message": finding.message,
        "detail": finding.detail or None,
    }


def _matches(check: Check, matches: Sequence[Match]) -> list[dict[str, Any]]:
    """Every match; the table of layers × layers of the first that has one."""
    weighed = view.weighed(check)
    return [_match(match, with_table=match is weighed) for match in matches]


def _weights(match: Match, *, with_table: bool) -> list[dict[str, Any]]:
    return [
        weights_document.weights(evidence, with_table=with_table and place == 0)
        for place, evidence in enumerate(match.weights)
    ]


def _match(match: Match, *, with_table: bool) -> dict[str, Any]:
    return {
        "reference": match.reference.id,
        "file": match.reference.path,
        "level": match.level,
        "identical": match.identical or None,
        "obtained": view.how_obtained(match.reference),
        "profile": _profile(match.profile),
        "other_towers": [_profile(score) for score in match.profiles[1:]],
        "background": _backgrounds(match),
        "weights": _weights(match, with_table=with_table),
    }


def _profile(score: ProfileScore | None) -> dict[str, Any] | None:
    if score is None:
        return None
    return {
        "raw": _number(score.raw),
        "detrended": _number(score.detrended),
        "layers": score.layers,
        "depths": list(score.depths),
        "tower": score.tower,
        "reference_tower": score.reference_tower,
        "roles": {
            role: {"raw": _number(pair.raw), "detrended": _number(pair.detrended)}
            for role, pair in score.roles.items()
        },
    }


def _backgrounds(match: Match) -> dict[str, Any] | None:
    found = match.backgrounds
    if found is None:
        return None
    return {
        "checkpoint": {
            "raw": _background(found.checkpoint_raw),
            "detrended": _background(found.checkpoint_detrended),
        },
        "reference": {
            "raw": _background(found.reference_raw),
            "detrended": _background(found.reference_detrended),
        },
    }


def _background(background: Background) -> dict[str, Any]:
    return {
        "families": background.families,
        "median": _number(background.median),
        "highest": _number(background.highest),
        "reaching": background.reaching,
        "rank": background.rank,
        "rate": _number(background.rate),
        "bound": background.bound,
    }


def _policy(policy: Policy) -> dict[str, Any]:
    return {
        "source": policy.source,
        "digest": policy.digest,
        "fail": _threshold(policy.fail),
        "warn": _threshold(policy.warn),
        "unmeasured": policy.unmeasured,
    }


def _threshold(threshold: Threshold) -> dict[str, Any]:
    profile = threshold.profile
    return {
        "level": threshold.level,
        "profile": profile
        and {"raw": profile.raw, "detrended": profile.detrended, "layers": profile.layers},
        "false_positive_rate": threshold.false_positive_rate,
    }
