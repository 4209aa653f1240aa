"""The summary for a terminal or a log: the verdict, the findings, the best matches."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TextIO

from fpcheck.check import Check
from fpcheck.comparison import Level, Match
from fpcheck.report import saying, view
from fpcheck.report.numbers import ABSENT, four
from fpcheck.report.rows import AS_ABOVE
from fpcheck.report.sinks import plain
from fpcheck.report.weighing import Weighing, weighing
from fpcheck.signature import Signature
from fpcheck.verdict import Finding, Outcome

_COLOURS = {Outcome.PASS: "32", Outcome.WARN: "33", Outcome.FAIL: "31"}
MAX_WIDTH = 120  # of a line of the table
ID_WIDTH = 46, 14  # of ids, at the most and at the least; they have what the others leave
TITLES = ("best matches", "level", "evidence", "raw", "detrended", "layers", "reference from")
RIGHT = {3, 4, 5}  # columns of numbers
ROWS = 6
STRANGER = " *"
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
    """Two signatures against each other: the level, the weights, the profile by role."""
    lines = [f"{plain(one.origin)}  against  {plain(other.origin)}", f"  level {_level(found)}"]
    for weights in found.weights if found else ():
        lines += _weighed(weighing(one, found, weights)) if found else ()
    score = found.profile if found else None
    if score is None:
        return "\n".join(lines) + "\n"
    lines.append(
        f"  {'mean':<5} {four(score.raw)} raw  {four(score.detrended)} detrended"
        f"  ({score.depths[0]} and {score.depths[1]} layers)"
    )
    for role, pair in score.roles.items():
        lines.append(f"  {role:<5} {four(pair.raw)} raw  {four(pair.detrended)} detrended")
    return "\n".join(lines) + "\n"


def _weighed(found: Weighing) -> list[str]:
    """What the weights of one tower say, in words and numbers."""
    towers = f"{plain(found.weights.tower)}  against  {plain(found.weights.reference_tower)}"
    told = [found.sentences, f"How the layers align: {found.alignment}.", *found.missing]
    lines = ["", f"  {towers}", *(line for text in told for line in _wrapped(_of_two(text)))]
    for row in found.rows:
        if not row.evidence.startswith("profile, "):  # which stands below, by role
            told = [part for part in row[1:] if part not in (ABSENT, AS_ABOVE)]
            lines += _wrapped(f"{row.evidence}: {'; '.join(told)}")
    return [*lines, *(_wrapped(f"ρ by role: {found.roles}") if found.roles else ()), ""]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text, MAX_WIDTH, initial_indent="    ", subsequent_indent="      ", break_on_hyphens=False
    )


def _of_two(text: str) -> str:
    """Neither of two checkpoints is a reference."""
    return text.replace("the reference", "the other").replace("this checkpoint", "the one")


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
    """The best matches, a line each, none longer than MAX_WIDTH."""
    if not check.matches:
        return []
    stranger = view.top_stranger(check)
    shown = list(check.matches[:ROWS])
    if stranger and stranger not in shown:
        shown[-1] = stranger
    cells = [TITLES, *map(_cells, shown)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    marks = ["", *(STRANGER if match is stranger else "" for match in shown)]
    rest = sum(widths[1:]) + 2 * len(widths) + max(map(len, marks))
    widths[0] = max(ID_WIDTH[1], min(ID_WIDTH[0], MAX_WIDTH - rest))
    lines = [_line(row, widths) + mark for row, mark in zip(cells, marks, strict=True)]
    foot = (
        ["  * of another family: no other such model has a more similar profile"]
        if stranger
        else []
    )
    return ["", *lines, *foot]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """A line of the table, its columns parted by two spaces."""
    fitted = [_fitted(cells[0], widths[0]), *cells[1:]]
    aligned = (
        f"{cell:>{width}}" if place in RIGHT else f"{cell:<{width}}"
        for place, (cell, width) in enumerate(zip(fitted, widths, strict=True))
    )
    return f"  {'  '.join(aligned)}".rstrip()


def _cells(match: Match) -> tuple[str, ...]:
    score = match.profile
    return (
        plain(match.reference.id),
        match.level,
        saying.short(match).removesuffix(" layers") or ABSENT,
        four(score.raw) if score else ABSENT,
        four(score.detrended) if score else ABSENT,
        str(score.layers) if score else ABSENT,
        view.how_obtained(match.reference),
    )


def _fitted(text: str, width: int) -> str:
    """The text, cut in the middle where it would push the columns: ids differ at both ends."""
    if len(text) <= width:
        return text
    half = width // 2
    return f"{text[: half - 1]}…{text[len(text) - (width - half) :]}"


def _paint(text: str, outcome: Outcome, colour: bool) -> str:
    return f"\033[1;{_COLOURS[outcome]}m{text}\033[0m" if colour else text
