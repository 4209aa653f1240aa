"""The layer map in characters, for Markdown: no platform shows a picture that is not uploaded."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from fpcheck.report.layer_map import LayerMap, Span

LIMIT = 64  # rows and columns
EDGES = (0.10, 0.25, 0.40, 0.60, 0.80)  # from each on, the next shade
SHADES = " ·░▒▓█"
UNKNOWN = "?"
WIDE = 40  # columns; up to so many are two characters wide, which makes cells nearly square


def render(drawn: LayerMap) -> str:
    """Rows of the checkpoint's layers, columns of the reference's, and the path on the right."""
    width = 2 if len(drawn.columns) <= WIDE else 1
    left = max(len("layer"), *(len(_label(span)) for span in drawn.rows))
    ruler = f"{'layer':>{left}} │ {_ticks(drawn.columns, width)}".rstrip()
    lines = [
        f"{_label(span):>{left}} │ {_row(drawn, row, width)}".rstrip()
        for row, span in enumerate(drawn.rows)
    ]
    rule = "─" * (left + 1) + "┼" + "─" * (len(drawn.columns) * width + 1)
    return "\n".join([_legend(drawn), "", ruler, rule, *lines])


def _row(drawn: LayerMap, row: int, width: int) -> str:
    cells = "".join(shade(score) * width for score in drawn.scores[row].tolist())
    return f"{cells}  {_aligned(drawn, row)}"


def shade(score: float) -> str:
    """The character of a score."""
    if score != score:
        return UNKNOWN
    return SHADES[sum(score >= edge for edge in EDGES)]


def _aligned(drawn: LayerMap, row: int) -> str:
    """What the layers of a row stand for; in brackets where they have no evidence of their own."""
    here = [place for place in drawn.path if place.row == row]
    hits = [place.step.reference for place in here if place.step.hit]
    if hits:
        return f"↔ {_label((min(hits), max(hits)))}"
    passed = [place.step.reference for place in here]
    return f"(↔ {_label((min(passed), max(passed)))})" if passed else ""


def _label(span: Span) -> str:
    return str(span[0]) if span[0] == span[1] else f"{span[0]}–{span[1]}"


def _ticks(columns: Sequence[Span], width: int) -> str:
    """Layers' numbers over the columns, as close as they have room."""
    every = max(4, 8 // width) if len(columns) > 8 else 1 + (width == 1)
    line = ""
    for column in range(0, len(columns), every):
        label = str(columns[column][0])
        if len(line) <= column * width:
            line = line.ljust(column * width) + label + " "
    return line.rstrip()


def _legend(drawn: LayerMap) -> str:
    shades = [f"{SHADES[1]} {EDGES[0]:.2f}–{EDGES[1]:.2f}"]
    shades += [
        f"{s} –{high:.2f}" for s, (_, high) in zip(SHADES[2:], pairwise(EDGES[1:]), strict=False)
    ]
    legend = "  ".join([*shades, f"{SHADES[-1]} to 1", f"blank: below {EDGES[0]:.2f}"])
    unknown = f"  {UNKNOWN} not measured" if (drawn.scores != drawn.scores).any() else ""
    return legend + unknown
