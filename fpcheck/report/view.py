"""What every report says about a check, before it takes a form: the words and the rows."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from types import MappingProxyType

from fpcheck import __version__
from fpcheck.check import Check
from fpcheck.comparison import Level, Match
from fpcheck.comparison.match import SHOWN
from fpcheck.policy import BUILT_IN
from fpcheck.reference import Reference
from fpcheck.verdict import Finding, Outcome

ICONS: Mapping[Outcome, str] = MappingProxyType(
    {Outcome.PASS: "✅", Outcome.WARN: "⚠️", Outcome.FAIL: "❌"}
)


def best(check: Check) -> Match | None:
    """The first match: the strongest level, then the highest profile."""
    return check.matches[0] if check.matches else None


def weighed(check: Check) -> Match | None:
    """The first match whose weights themselves were compared."""
    return next((match for match in check.matches or () if match.weights), None)


def hidden(check: Check) -> bool:
    """Whether a change of basis would go unseen: nothing is derived, and no forms were compared."""
    matches = check.matches or ()
    derived = any(match.level.rank >= Level.TRANSFORMED.rank for match in matches)
    return (
        bool(matches)
        and not derived
        and not any(w.forms for match in matches for w in match.weights)
    )


def shown(check: Check) -> tuple[Match, ...]:
    """The matches that have a background; the JSON report has the others too."""
    return (check.matches or ())[:SHOWN]


def top_stranger(check: Check) -> Match | None:
    """The best-scoring reference of another family than the first match's, without its weights."""
    first = best(check)
    if first is None:
        return None
    family = check.library.family
    others = (m for m in check.matches or () if m.profile and m.level.rank <= Level.RESEMBLES.rank)
    return next((m for m in others if family(m.reference.id) != family(first.reference.id)), None)


def level(check: Check) -> str:
    """The level of the best match, or that nothing was measured."""
    if check.matches is None:
        return "unmeasured"
    first = best(check)
    return str(first.level if first else Level.NONE)


def summary(check: Check) -> str:
    """Why a check without findings passes, in one sentence without its full stop."""
    if check.matches is None:
        return "Nothing could be measured, which the policy ignores"
    if check.verdict.notes:
        return "All that the policy would object to is declared, or follows from what is declared"
    return "It resembles no reference so much that the policy objects"


def words(finding: Finding) -> str:
    """A finding in one line of plain, still untrusted text."""
    about = f"{finding.reference}: " if finding.reference else ""
    detail = f": {finding.detail}" if finding.detail else ""
    return f"{about}{finding.message}{detail}"


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
    if check.base:
        words += ["--base", check.base]
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
