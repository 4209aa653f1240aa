"""What a GitHub step hands over for a check, finished or not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from fpcheck.check import Check
from fpcheck.delivery.github import Delivery
from fpcheck.delivery.workflow import Annotation
from fpcheck.errors import EXIT_UNCHECKED, FpcheckError
from fpcheck.report import markdown, view
from fpcheck.report.sinks import literal
from fpcheck.verdict import Outcome

_LEVELS = {Outcome.PASS: "notice", Outcome.WARN: "warning", Outcome.FAIL: "error"}


def success(check: Check, written: Iterable[Path], *, comment: bool) -> Delivery:
    """The outputs, summary, annotations and comment of a finished check."""
    report = markdown.render(check)
    return Delivery(
        outputs=_outputs(check, {path.name: str(path) for path in written}),
        summary=report,
        comment=report if comment else None,
        annotations=tuple(_annotations(check)),
        key=_key(check.signature.origin.name),
    )


def failure(error: BaseException) -> Delivery:
    """The outputs, summary and annotation of a check that reached no verdict."""
    code = error.exit_code if isinstance(error, FpcheckError) else EXIT_UNCHECKED
    reason = str(error) if isinstance(error, FpcheckError) else "stopped before it was done"
    hint = getattr(error, "hint", "")
    details = "\n\n".join(literal(text) for text in (reason, hint) if text)
    return Delivery(
        outputs={"verdict": "error", "exit-code": str(code)},
        summary=f"# ❌ fpcheck: no verdict\n\n{details}\n",
        annotations=(Annotation("error", f"{reason} {hint}".strip(), title="fpcheck"),),
    )


def _outputs(check: Check, paths: dict[str, str]) -> dict[str, str]:
    best = view.best(check)
    return {
        "verdict": check.verdict.outcome,
        "exit-code": str(check.exit_code),
        "level": view.level(check),
        "score": f"{best.profile.raw:.4f}" if best and best.profile else "",
        "top-match": best.reference.id if best else "",
        "matches": str(sum(m.level.rank > 0 for m in check.matches or ())),
        "report-path": paths.get("report.md", ""),
        "json-path": paths.get("report.json", ""),
    }


def _annotations(check: Check) -> Iterable[Annotation]:
    for finding in check.verdict.findings:
        yield Annotation(_LEVELS[finding.outcome], view.words(finding), title="fpcheck")


def _key(name: str) -> str:
    """Tells the comments of several checkpoints of one pull request apart."""
    return hashlib.sha256(name.encode()).hexdigest()[:12]
