"""The Markdown report, rendered from a jinja2 template that treats every value as hostile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from fpcheck.check import Check
from fpcheck.comparison import Match
from fpcheck.report import known_rates, numbers, saying, view
from fpcheck.report.chart import panels
from fpcheck.report.mermaid import charts
from fpcheck.report.sinks import Markup, finalize, literal, prose
from fpcheck.report.weighing import unweighed, weighing
from fpcheck.signature.arrays import ANCHORS
from fpcheck.verdict import Finding

if TYPE_CHECKING:
    from jinja2 import Environment

MAX_FILES = 50  # rows of the manifest; the JSON report has them all
MAX_NOTES = 20
MAX_TOWERS = 8  # pairs of towers beside the first


def render(check: Check, svg: str = "") -> str:
    """The report; `svg` is the name of the picture beside it, if one is written."""
    threshold = check.policy.bare_threshold
    drawn = panels(check.signature, view.best(check))
    weighed = view.weighed(check)
    towers = weighed.weights if weighed else ()
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
            weighed=weighing(check.signature, weighed, towers[0]) if weighed else None,
            hidden=view.hidden(check),
            others=towers[1 : MAX_TOWERS + 1],
            unweighed=unweighed(check.signature),
            anchors=ANCHORS,
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
    environment.filters |= FILTERS
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


def _chance(match: Match) -> str:
    found = match.backgrounds
    if found is None:
        return numbers.ABSENT
    raw = numbers.worse(found.checkpoint_raw, found.reference_raw)
    detrended = numbers.worse(found.checkpoint_detrended, found.reference_detrended)
    return f"{numbers.rate(raw)} · {numbers.rate(detrended)}"


def _own(form: Callable[[Any], str]) -> Callable[[Any], Markup]:
    """A form of numbers as a filter: what it gives is in our own words."""
    return lambda value: prose(form(value))


# The filters of the templates.
FILTERS: Mapping[str, Callable[[Any], object]] = MappingProxyType(
    {
        "own": Markup,  # the program's own words
        "prose": prose,  # the same where they may hold a `<`
        "four": _own(numbers.four),
        "percent": _own(numbers.percent),
        "size": _own(numbers.size),
        "spread": _own(numbers.spread),
        "chance": _own(_chance),
        "short": _own(lambda match: saying.short(match) or numbers.ABSENT),
        "strongest": _own(saying.strongest),
        "objection": _objection,
        "how": view.how_obtained,
    }
)
