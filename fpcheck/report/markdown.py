"""The Markdown report, rendered from a jinja2 template that treats every value as hostile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fpcheck.check import Check
from fpcheck.comparison import Match
from fpcheck.comparison.background import Background
from fpcheck.report import known_rates, numbers, view
from fpcheck.report.chart import panels
from fpcheck.report.mermaid import charts
from fpcheck.report.sinks import Markup, finalize, literal
from fpcheck.verdict import Finding

if TYPE_CHECKING:
    from jinja2 import Environment

MAX_FILES = 50  # rows of the manifest; the JSON report has them all
MAX_NOTES = 20


def render(check: Check, svg: str = "") -> str:
    """The report; `svg` is the name of the picture beside it, if one is written."""
    threshold = check.policy.bare_threshold
    drawn = panels(check.signature, view.best(check))
    return (
        _environment()
        .get_template("report.md.j2")
        .render(
            check=check,
            icon=Markup(view.ICONS[check.verdict.outcome]),
            icons={outcome: Markup(icon) for outcome, icon in view.ICONS.items()},
            outcome=Markup(check.verdict.outcome),
            headline=_headline(check),
            matches=view.shown(check),
            first=view.best(check),
            stranger=view.top_stranger(check),
            notes=check.verdict.notes[:MAX_NOTES],
            files=check.signature.files[:MAX_FILES],
            declared=view.declared(check),
            provenance=view.provenance(check),
            threshold=threshold,
            study="" if threshold is None else known_rates.study(threshold),
            library_rate=known_rates.library_rate(check.false_alarms) if check.false_alarms else "",
            panels=drawn,
            charts=charts(drawn),
            svg=svg,
        )
    )


def _environment() -> Environment:
    """Sandboxed, strict about missing values; every value passes the Markdown sink."""
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        autoescape=False,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "own": Markup,  # the program's own words
        "four": numbers.four,
        "size": numbers.size,
        "spread": numbers.spread,
        "chance": _chance,
        "objection": _objection,
        "how": view.how_obtained,
    }
    return environment


def _headline(check: Check) -> Markup:
    findings = check.verdict.findings
    if not findings:
        return Markup(view.summary(check) + ".")
    more = f" ({len(findings) - 1} more below)" if len(findings) > 1 else ""
    about = f"{literal(findings[0].reference)}: " if findings[0].reference else ""
    return Markup(f"{about}{_objection(findings[0])}{more}")


def _objection(finding: Finding) -> Markup:
    """A finding's message, its untrusted detail shown as itself."""
    detail = f": {literal(finding.detail)}" if finding.detail else ""
    return Markup(finding.message + detail)


def _chance(match: Match) -> Markup:
    found = match.backgrounds
    if found is None:
        return Markup("–")
    raw = max(found.checkpoint_raw, found.reference_raw, key=_severity)
    detrended = max(found.checkpoint_detrended, found.reference_detrended, key=_severity)
    return Markup(f"{numbers.rate(raw)} · {numbers.rate(detrended)}")


def _severity(background: Background) -> tuple[float, float]:
    """Hits before bounds: "0 of 100" bounds the rate at 3 %, and "2 of 100" is still worse news."""
    share = background.reaching / background.families if background.families else -1.0
    return share, background.rate if background.families else 0.0
