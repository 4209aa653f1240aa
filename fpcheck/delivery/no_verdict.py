"""What is written where a report would be when a check ends without a verdict."""

from __future__ import annotations

from fpcheck.errors import FpcheckError
from fpcheck.report import document as report
from fpcheck.report.sinks import literal
from fpcheck.signature.file import canonical

OUTCOME = "error"
MAX_REASON = 4_096  # characters; names of files and tensors are part of it


def markdown(failure: FpcheckError) -> str:
    """The reason, and what to do about it."""
    words = "\n\n".join(literal(text, MAX_REASON) for text in (str(failure), failure.hint) if text)
    return f"# ❌ fpcheck: no verdict\n\n{words}\n"


def document(failure: FpcheckError) -> str:
    """The same for machines: a report of an outcome that no verdict has."""
    return canonical(
        {
            "format": report.FORMAT,
            "outcome": OUTCOME,
            "exit_code": failure.exit_code,
            "error": str(failure),
        }
    )
