"""What every report says about a check, before it takes a form: the words and the rows."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from types import MappingProxyType

from fpcheck import __version__
from fpcheck.check import Check
from fpcheck.comparison import Level, Match
from fpcheck.policy import BUILT_IN
from fpcheck.reference import Reference
from fpcheck.verdict import Outcome

SHOWN = 10  # rows of the table of matches; the JSON report has all of them

ICONS: Mapping[Outcome, str] = MappingProxyType(
    {Outcome.PASS: "✅", Outcome.WARN: "⚠️", Outcome.FAIL: "❌"}
)


def best(check: Check) -> Match | None:
    """The first match: the strongest level, then the highest profile."""
    return check.matches[0] if check.matches else None


def shown(check: Check) -> tuple[Match, ...]:
    """The matches that a report has room for."""
    return (check.matches or ())[:SHOWN]


def top_stranger(check: Check) -> Match | None:
    """The best-scoring reference that is of another family than the first match."""
    first = best(check)
    if first is None:
        return None
    family = check.library.family
    others = (m for m in check.matches or () if m.profile and not m.identical)
    return next((m for m in others if family(m.reference.id) != family(first.reference.id)), None)


def level(check: Check) -> str:
    """The level of the best match, or that nothing was measured."""
    if check.matches is None:
        return "unmeasured"
    first = best(check)
    return str(first.level if first else Level.NONE)


def reason(check: Check) -> str:
    """The verdict's one reason, without any name."""
    findings = check.verdict.findings
    if findings:
        more = f", and {len(findings) - 1} more" if len(findings) > 1 else ""
        return f"{findings[0].message}{more}"
    if check.matches is None:
        return "nothing could be measured, which the policy ignores"
    if check.verdict.notes:
        return "every match is declared or follows from what is declared"
    return "it resembles no reference"


def how_obtained(reference: Reference) -> str:
    """Where a reference's numbers come from, in three words."""
    obtained = reference.obtained
    if obtained.digits is None:
        return "weights"
    complete = "" if obtained.complete else ", incomplete"
    return f"figures, {obtained.digits} digits{complete}"


def reproduce(check: Check) -> str:
    """The command that gives this report again."""
    words = ["fpcheck", "check", str(check.signature.origin)]
    if check.policy.source != BUILT_IN:
        words += ["--config", check.policy.source]
    for folder in check.folders:
        words += ["--library", folder]
    return shlex.join(words)


def declared(check: Check) -> tuple[tuple[str, str], ...]:
    """Each declared id and who declares it."""
    return (
        *((identity, "policy") for identity in check.policy.declared),
        *((identity, "model card") for identity in check.card_bases),
    )


def provenance(check: Check) -> tuple[tuple[str, str], ...]:
    """What pins the result, as label and value."""
    return (
        ("fpcheck", __version__),
        ("recipe", check.signature.recipe),
        ("checkpoint", str(check.signature.origin)),
        ("policy", f"{check.policy.source} {check.policy.digest}"),
        ("library", f"{len(check.library.references)} references {check.library.digest}"),
        ("reproduce", reproduce(check)),
    )
