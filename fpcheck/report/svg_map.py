"""The layer map as part of the SVG: one path a shade, so that any depth stays small."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fpcheck.report.layer_map import LayerMap, Span
from fpcheck.report.sinks import xml

LIMIT = 128  # rows and columns; 16,384 cells of ten bytes at the most
EDGES = tuple(step / 10 for step in range(1, 10))  # from each on, the next shade
SIDE, LARGEST = 400, 28  # of the map, and of one cell, in pixels
CLEAR = 12  # pixels of a cell from which a dot may have an outline
LEFT, TOP, KEY = 48, 64, 18  # room for the rows' numbers, for the titles; height of a key
NEAREST = 26  # pixels between two numbers on an axis
MAX_LINES, MAX_CHARACTERS = 16, 38  # of the words beside the map

_SECTION = """\
<g transform="translate({x} {y})">
<text y="16" font-size="15" font-weight="600">Layer map: {shows}</text>
<text y="36" class="muted">Down: layers of this checkpoint. Across: layers of {reference}.</text>
<g transform="translate({left} {top})">
{ticks}
<rect width="{width}" height="{height}" class="cell"/>
<g transform="scale({cell}) translate(0 .5)" fill="none" stroke-width="1" \
shape-rendering="crispEdges">
{shades}
</g>
<rect width="{width}" height="{height}" class="frame"/>
{path}
</g>
<g transform="translate({beside} {top})">
{key}
{words}
</g>
</g>"""


def section(drawn: LayerMap, reference: str, words: Sequence[str], x: int, y: int) -> str:
    """The map, its key, and words in our own language beside it; the name is untrusted."""
    cell = _cell(drawn)
    return _SECTION.format(
        x=x,
        y=y,
        left=LEFT,
        top=TOP,
        beside=LEFT + SIDE + 32,
        width=_size(len(drawn.columns) * cell),
        height=_size(len(drawn.rows) * cell),
        cell=_size(cell),
        shows=drawn.shows,
        reference=xml(reference),
        ticks="\n".join([*_across(drawn.columns, cell), *_down(drawn.rows, cell)]),
        shades="\n".join(_shades(drawn)),
        path="\n".join(_path(drawn, cell)),
        key=_key(),
        words="\n".join(_beside(words)),
    )


def height(drawn: LayerMap) -> int:
    """How much room the section takes."""
    return TOP + max(round(len(drawn.rows) * _cell(drawn)), 380) + 24


def _cell(drawn: LayerMap) -> float:
    return min(LARGEST, SIDE / max(len(drawn.rows), len(drawn.columns)))


def _size(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _shades(drawn: LayerMap) -> Iterator[str]:
    """For each shade one path of horizontal strokes, a run of equal cells each."""
    strokes: dict[int, list[str]] = {}
    for row, scores in enumerate(drawn.scores.tolist()):
        levels = [sum(score >= edge for edge in EDGES) for score in scores]  # 0 for NaN
        start = 0
        for column in range(1, len(levels) + 1):
            if column == len(levels) or levels[column] != levels[start]:
                strokes.setdefault(levels[start], []).append(f"M{start} {row}h{column - start}")
                start = column
    for level in sorted(strokes.keys() - {0}):
        yield f'<path class="s{level}" d="{"".join(strokes[level])}"/>'


def _path(drawn: LayerMap, cell: float) -> Iterator[str]:
    """A dot on each aligned pair: full where the layer has evidence of its own."""
    outline, radius = (0.75, 0.18) if cell >= CLEAR else (0.25, 0.3)
    for is_hit, style in ((False, "pass"), (True, "hit")):
        places = sorted({(p.row, p.column) for p in drawn.path if p.step.hit is is_hit})
        if places:
            width = outline if is_hit else 0.75
            yield f'<g class="{style}" stroke-width="{width}">'
            for row, column in places:
                x, y = _size((column + 0.5) * cell), _size((row + 0.5) * cell)
                yield f'<circle cx="{x}" cy="{y}" r="{_size(radius * cell)}"/>'
            yield "</g>"


def _across(columns: Sequence[Span], cell: float) -> Iterator[str]:
    for column in range(0, len(columns), _every(cell)):
        x = _size((column + 0.5) * cell)
        yield f'<text x="{x}" y="-6" text-anchor="middle" class="muted">{columns[column][0]}</text>'


def _down(rows: Sequence[Span], cell: float) -> Iterator[str]:
    for row in range(0, len(rows), _every(cell)):
        y = _size((row + 0.5) * cell + 4)
        yield f'<text x="-8" y="{y}" text-anchor="end" class="muted">{rows[row][0]}</text>'


def _every(cell: float) -> int:
    """Layers from one number on an axis to the next."""
    return next(n for n in (1, 2, 4, 8, 16, 32, 64, 128) if n * cell >= NEAREST or n == 128)


def _key() -> str:
    squares = [f'<rect width="20" height="{KEY}" class="cell"/>']
    squares += [
        f'<rect x="{20 * level}" width="20" height="{KEY}" class="k{level}"/>'
        for level in range(1, len(EDGES) + 1)
    ]
    ends = f'<rect width="{20 * (len(EDGES) + 1)}" height="{KEY}" class="frame"/>'
    numbers = (
        f'<text x="{20 * place}" y="{KEY + 16}" text-anchor="middle" class="muted">{text}</text>'
        for place, text in ((1, "0.1"), (5, "0.5"), (9, "0.9"))
    )
    return "\n".join([*squares, ends, *numbers, *_dots()])


def _dots() -> Iterator[str]:
    for style, y, text in (
        ("hit", KEY + 42, "aligned, significant on its own"),
        ("pass", KEY + 62, "aligned, not significant on its own"),
    ):
        yield f'<circle class="{style}" stroke-width="0.75" cx="10" cy="{y - 4}" r="4"/>'
        yield f'<text x="24" y="{y}">{text}</text>'


def _beside(words: Sequence[str]) -> Iterator[str]:
    for place, line in enumerate(words[:MAX_LINES]):
        yield f'<text y="{KEY + 96 + 18 * place}">{xml(line)}</text>'
