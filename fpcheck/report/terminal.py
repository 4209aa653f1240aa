"""The summary for a terminal or a log: the verdict, the findings, the best matches."""

from __future__ import annotations

import math

from fpcheck.check import Check
from fpcheck.comparison import Match
from fpcheck.report import view
from fpcheck.report.sinks import plain
from fpcheck.signature import Signature
from fpcheck.verdict import Outcome

_COLOURS = {Outcome.PASS: "32", Outcome.WARN: "33", Outcome.FAIL: "31"}
_ROW = "  {id:<46} {level:<10} {raw:>7} {detrended:>9} {layers:>6}  {how}"
ROWS = 6


def render(check: Check, *, colour: bool = False) -> str:
    """A few lines of plain text; every untrusted word has passed the log's sink."""
    outcome = check.verdict.outcome
    lines = [f"{_paint(outcome.upper(), outcome, colour)}  {plain(check.signature.origin)}"]
    for finding in check.verdict.findings:
        mark = _paint(f"{finding.outcome:<4}", finding.outcome, colour)
        lines.append(f"  {mark}  {plain(view.words(finding))}")
    if not check.verdict.findings:
        lines.append(f"  {view.summary(check)}.")
    lines += [f"  note  {plain(view.words(note))}" for note in check.verdict.notes[:ROWS]]
    lines += _table(check)
    return "\n".join(lines) + "\n"


def comparison(one: Signature, other: Signature, found: Match | None) -> str:
    """Two signatures against each other: the level, the numbers, the roles."""
    lines = [f"{plain(one.origin)}  against  {plain(other.origin)}"]
    if found is None or found.profile is None:
        why = found.identical if found else "their towers have no role with a profile in common"
        return "\n".join([*lines, f"  {plain(why)}"]) + "\n"
    score = found.profile
    lines.append(f"  level {found.level}{f': {found.identical}' if found.identical else ''}")
    lines.append(
        f"  {'mean':<5} {_four(score.raw)} raw  {_four(score.detrended)} detrended"
        f"  ({score.depths[0]} and {score.depths[1]} layers)"
    )
    for role, pair in score.roles.items():
        lines.append(f"  {role:<5} {_four(pair.raw)} raw  {_four(pair.detrended)} detrended")
    return "\n".join(lines) + "\n"


def _table(check: Check) -> list[str]:
    if not check.matches:
        return []
    titles = {"id": "best matches", "level": "level", "raw": "raw", "detrended": "detrended"}
    head = _ROW.format(**titles, layers="layers", how="reference from")
    stranger = view.top_stranger(check)
    rows = list(check.matches[:ROWS])
    if stranger and stranger not in rows:
        rows[-1] = stranger
    marked = [_row(m) + ("  (another family)" if m is stranger else "") for m in rows]
    return ["", head, *marked]


def _row(match: Match) -> str:
    score = match.profile
    return _ROW.format(
        id=plain(match.reference.id),
        level=match.level,
        raw=_four(score.raw) if score else "–",
        detrended=_four(score.detrended) if score else "–",
        layers=score.layers if score else "–",
        how=view.how_obtained(match.reference),
    )


def _four(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4f}"


def _paint(text: str, outcome: Outcome, colour: bool) -> str:
    return f"\033[1;{_COLOURS[outcome]}m{text}\033[0m" if colour else text
