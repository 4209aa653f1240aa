"""How well one number tells derivatives from strangers: ROC, its area, and a picture of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
NOTHING = -math.inf  # the score of a pair of which a method says nothing


@dataclass(frozen=True)
class Roc:
    """The rates at every threshold, from the strictest; `area` is the probability that a
    derivative scores higher than a stranger, half of it where they tie.
    """

    false: Values
    true: Values
    area: float
    at_none: float


def roc(derivatives: Sequence[float], strangers: Sequence[float]) -> Roc:
    """The curve of one method; a score of NaN is lower than any."""
    high, low = (
        np.sort(np.nan_to_num(np.array(values, dtype=float), nan=NOTHING, neginf=NOTHING))
        for values in (derivatives, strangers)
    )
    steps = np.unique(np.concatenate([high, low]))[::-1]
    true, false = (1 - np.searchsorted(v, steps) / max(v.size, 1) for v in (high, low))
    below, upto = (np.searchsorted(low, high, side=side) for side in ("left", "right"))
    area = float((below + upto).mean() / 2 / low.size) if high.size and low.size else math.nan
    found = high > (low[-1] if low.size else NOTHING)
    at_none = float(found.mean()) if high.size else math.nan
    return Roc(np.r_[0.0, false], np.r_[0.0, true], area, at_none)


WIDTH, HEIGHT, LEFT, TOP, SIDE, FOOT = 760, 470, 70, 62, 400, 340
FEWEST = 4.0  # decades of the false-positive rate that are drawn
MIDDLE = ' text-anchor="middle"'
TICKS = ((0.0, "0"), (1e-4, "0.01%"), (1e-3, "0.1%"), (0.01, "1%"), (0.1, "10%"), (1.0, "100%"))
STYLES = (  # colours that differ in lightness too, and dashes, so that none is told by hue alone
    ("#8bb8f0", ""),
    ("#c2410c", "9 4"),
    ("#7c3aed", "3 3"),
    ("#15803d", "12 4 3 4"),
    ("#b91c5c", "6 2 2 2"),
    ("#475569", "1 4"),
    ("#a16207", "14 3"),
    ("#0e7490", "2 6"),
)
FRAME = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" \
viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" font-size="12" role="img" \
aria-labelledby="title described">
<title id="title">{title}</title>
<desc id="described">{described}</desc>
<rect width="100%" height="100%" fill="#ffffff"/>
<g fill="#1f2328">
{body}
</g>
</svg>
"""


def picture(curves: Mapping[str, Roc], derivatives: int, strangers: int) -> str:
    """The curves of all methods as an SVG of its own, the false-positive rate on a log scale."""
    title = f"Derivatives told from strangers: {derivatives} and {strangers:,} pairs"
    body = [_text(LEFT, 28, title, ' font-size="15" font-weight="600"')]
    body += [*_axes(), _text(LEFT + SIDE + 24, TOP - 6, "found without a false alarm, area")]
    for place, (name, curve) in enumerate(curves.items()):
        body += _line(place, name, curve)
    described = "Share of derivatives found without a false alarm, and area under the curve. "
    described += "; ".join(f"{name}: {_figures(curve)}" for name, curve in curves.items())
    words = {"title": escape(title), "described": escape(described), "body": "\n".join(body)}
    return FRAME.format(width=WIDTH, height=HEIGHT, **words)


def _figures(curve: Roc) -> str:
    return f"{curve.at_none:.1%}, area {curve.area:.3f}"


def _x(rate: float) -> float:
    """No false alarm at all stands at the left edge, one in 10,000 a tenth further."""
    decades = max(0.0, math.log10(rate) + FEWEST) if rate > 0 else -FEWEST / 9
    return LEFT + SIDE * (decades + FEWEST / 9) / (FEWEST + FEWEST / 9)


def _y(rate: float) -> float:
    return TOP + FOOT * (1 - rate)


def _text(x: float, y: float, words: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}"{more}>{escape(words)}</text>'


def _axes() -> list[str]:
    grid, bottom, found = 'stroke="#d0d7de"', TOP + FOOT, []
    for rate, label in TICKS:
        x = _x(rate)
        found.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom}" {grid}/>')
        found.append(_text(x, bottom + 18, label, MIDDLE))
    for rate in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _y(rate)
        found.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{LEFT + SIDE}" y2="{y:.1f}" {grid}/>')
        found.append(_text(LEFT - 8, y + 4, f"{rate:.0%}", ' text-anchor="end"'))
    below = "strangers taken for derivatives (log scale)"
    turned = f'{MIDDLE} transform="rotate(-90 20 {TOP + FOOT / 2})"'
    return [
        *found,
        _text(LEFT + SIDE / 2, bottom + 40, below, MIDDLE),
        _text(20, TOP + FOOT / 2, "derivatives found", turned),
    ]


def _line(place: int, name: str, curve: Roc) -> list[str]:
    colour, dashes = STYLES[place % len(STYLES)]
    width = 2 if place else 6  # lines that run together with the first are seen on it
    drawn = f'fill="none" stroke="{colour}" stroke-width="{width}" stroke-dasharray="{dashes}"'
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in _steps(curve))
    x, y = LEFT + SIDE + 24, TOP + 16 + 42 * place
    return [
        f'<polyline points="{points}" {drawn}><title>{escape(name)}</title></polyline>',
        f'<line x1="{x}" y1="{y - 4}" x2="{x + 34}" y2="{y - 4}" {drawn}/>',
        _text(x + 42, y, name, ' font-weight="600"'),
        _text(x + 42, y + 16, _figures(curve)),
    ]


def _steps(curve: Roc) -> list[tuple[float, float]]:
    """The corners of the staircase: up at a threshold, then right to the next."""
    found = [(_x(0.0), _y(0.0))]
    for false, true in zip(curve.false.tolist(), curve.true.tolist(), strict=True):
        found += [(_x(false), found[-1][1]), (_x(false), _y(true))]
    return list(dict.fromkeys(found))
