"""The summary for a terminal or a log: the verdict, the findings, the best matches."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TextIO

from fpcheck.check import Check
from fpcheck.comparison import Level, Match
from fpcheck.report import view
from fpcheck.report.sinks import plain
from fpcheck.signature import Signature
from fpcheck.verdict import Finding, Outcome

_COLOURS = {Outcome.PASS: "32", Outcome.WARN: "33", Outcome.FAIL: "31"}
ID_WIDTH = 46
_ROW = f"  {{id:<{ID_WIDTH}}} {{level:<10}} {{raw:>7}} {{detrended:>9}} {{layers:>6}}  {{how}}"
ROWS = 6
MAX_FINDINGS = 20  # and as many notes: the verdict must not scroll off the screen


def is_colourful(stream: TextIO | None, env: Mapping[str, str]) -> bool:
    """Whether whoever reads the stream sees colours, and has not asked for none."""
    wanted = not env.get("NO_COLOR") and env.get("TERM") != "dumb"
    return wanted and stream is not None and stream.isatty()


def render(check: Check, *, colour: bool = False) -> str:
    """A few lines of plain text; every untrusted word has passed the log's sink."""
    outcome = check.verdict.outcome
    lines = [f"{_paint(outcome.upper(), outcome, colour)}  {plain(check.signature.origin)}"]
    lines += _listed(
        [(_paint(f"{f.outcome:<4}", f.outcome, colour), f) for f in check.verdict.findings]
    )
    if not check.verdict.findings:
        lines.append(f"  {view.summary(check)}.")
    lines += _listed([("note", note) for note in check.verdict.notes])
    lines += _table(check)
    return "\n".join(lines) + "\n"


def comparison(one: Signature, other: Signature, found: Match | None) -> str:
    """Two signatures against each other: the level, the numbers, the roles."""
    lines = [f"{plain(one.origin)}  against  {plain(other.origin)}", f"  level {_level(found)}"]
    score = found.profile if found else None
    if score is None:
        return "\n".join(lines) + "\n"
    lines.append(
        f"  {'mean':<5} {_four(score.raw)} raw  {_four(score.detrended)} detrended"
        f"  ({score.depths[0]} and {score.depths[1]} layers)"
    )
    for role, pair in score.roles.items():
        lines.append(f"  {role:<5} {_four(pair.raw)} raw  {_four(pair.detrended)} detrended")
    return "\n".join(lines) + "\n"


def _level(found: Match | None) -> str:
    """The level, and why two are identical; neither of two checkpoints is a reference here."""
    if found is None:
        return Level.NONE
    own = found.identical.replace("the reference's", "the other's")
    own = own.replace("of the reference,", "of the other,")
    return f"{found.level}: {own}" if own else found.level


def _listed(marked: Sequence[tuple[str, Finding]]) -> list[str]:
    """A line for each finding; those over the limit are counted."""
    lines = [f"  {mark}  {plain(view.words(finding))}" for mark, finding in marked[:MAX_FINDINGS]]
    rest = len(marked) - MAX_FINDINGS
    return [*lines, f"        and {rest} more: see the report"] if rest > 0 else lines


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
        id=_fitted(plain(match.reference.id)),
        level=match.level,
        raw=_four(score.raw) if score else "–",
        detrended=_four(score.detrended) if score else "–",
        layers=score.layers if score else "–",
        how=view.how_obtained(match.reference),
    )


def _fitted(text: str) -> str:
    """The text, cut in the middle where it would push the columns: ids differ at both ends."""
    if len(text) <= ID_WIDTH:
        return text
    half = ID_WIDTH // 2
    return f"{text[: half - 1]}…{text[-half:]}"


def _four(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4f}"


def _paint(text: str, outcome: Outcome, colour: bool) -> str:
    return f"\033[1;{_COLOURS[outcome]}m{text}\033[0m" if colour else text
