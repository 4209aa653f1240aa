"""What a GitHub step hands over for a check, finished or not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from fpcheck.check import Check
from fpcheck.delivery import no_verdict
from fpcheck.delivery.github import Delivery
from fpcheck.delivery.workflow import Annotation
from fpcheck.errors import FpcheckError
from fpcheck.report import view
from fpcheck.verdict import Outcome

_LEVELS = {Outcome.PASS: "notice", Outcome.WARN: "warning", Outcome.FAIL: "error"}


def success(check: Check, report: str, written: Iterable[Path], *, comment: bool) -> Delivery:
    """The outputs, annotations and `report` (Markdown) of a finished check.

    An empty report, because it could not be rendered, makes neither summary nor comment.
    """
    return Delivery(
        outputs=_outputs(check, {path.name: str(path) for path in written}),
        summary=report,
        comment=report if comment and report else None,
        annotations=tuple(_annotations(check)),
        key=_key(check.signature.origin.name),
    )


def failure(error: FpcheckError) -> Delivery:
    """The outputs, summary and annotation of a check that reached no verdict."""
    return Delivery(
        outputs={"verdict": no_verdict.OUTCOME, "exit-code": str(error.exit_code)},
        summary=no_verdict.markdown(error),
        annotations=(Annotation("error", f"{error} {error.hint}".strip(), title="fpcheck"),),
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
    return hashlib.sha256(name.encode("utf-8", "backslashreplace")).hexdigest()[:12]
