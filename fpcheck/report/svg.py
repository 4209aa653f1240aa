"""The depth profiles as one SVG file: a panel a role, the same bytes for the same check."""

from __future__ import annotations

from collections.abc import Sequence

from fpcheck.check import Check
from fpcheck.report import view
from fpcheck.report.chart import Panel, panels
from fpcheck.report.mermaid import COLOURS
from fpcheck.report.sinks import xml

WIDTH, HEIGHT, GAP = 340, 180, 40  # of a panel, and around it, in pixels
HEAD = 64

_FRAME = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" \
viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="{gap}" y="24" font-size="15" font-weight="600">Depth profile, by role</text>
<g><line x1="{gap}" x2="{key}" y1="43" y2="43" stroke="{first}" stroke-width="2.5"/>
<text x="{label}" y="47">{checkpoint}</text></g>
<g transform="translate({half} 0)"><line x1="{gap}" x2="{key}" y1="43" y2="43" stroke="{second}" \
stroke-width="7" stroke-opacity="0.4"/><text x="{label}" y="47">{reference}</text></g>
{panels}
</svg>
"""
_PANEL = """\
<g transform="translate({x} {y})">
<rect width="{width}" height="{height}" fill="none" stroke="#d0d7de"/>
<text x="0" y="-8" font-weight="600">{role}</text>
<text x="{width}" y="-8" text-anchor="end" fill="#57606a">r = {raw:.4f}</text>
{lines}
<text x="0" y="{foot}" fill="#57606a">layer 1</text>
<text x="{width}" y="{foot}" text-anchor="end" fill="#57606a">{depth}</text>
</g>"""
_LINE = '<polyline fill="none" stroke="{colour}" {style} points="{points}"/>'


def render(check: Check) -> str:
    """The profile of the checkpoint and of its best match as SVG; "" when there is no match."""
    best = view.best(check)
    drawn = panels(check.signature, best)
    if best is None or not drawn:
        return ""
    return drawing(drawn, str(check.signature.origin), best.reference.id)


def drawing(drawn: Sequence[Panel], checkpoint: str, reference: str) -> str:
    """The picture of both profiles, two panels a row; the names are untrusted text."""
    rows = (len(drawn) + 1) // 2
    half = WIDTH + GAP
    return _FRAME.format(
        width=2 * half + GAP,
        height=HEAD + rows * (HEIGHT + 2 * GAP),
        half=half,
        gap=GAP,
        key=GAP + 30,
        label=GAP + 38,
        first=COLOURS[0],
        second=COLOURS[1],
        checkpoint=xml(_short(checkpoint)),
        reference=xml(_short(reference)),
        panels="\n".join(_panel(place, panel) for place, panel in enumerate(drawn)),
    )


def _short(name: str) -> str:
    return name if len(name) <= 44 else "…" + name[-43:]


def _panel(place: int, panel: Panel) -> str:
    values = panel.checkpoint + panel.reference
    low, high = min(values), max(values)
    lines = (
        # Wide and pale below thin and dark, so that both show where they coincide.
        _line(panel.reference, low, high, COLOURS[1], 'stroke-width="7" stroke-opacity="0.4"'),
        _line(panel.checkpoint, low, high, COLOURS[0], 'stroke-width="2"'),
    )
    return _PANEL.format(
        x=GAP + (place % 2) * (WIDTH + GAP),
        y=HEAD + GAP + (place // 2) * (HEIGHT + 2 * GAP),
        width=WIDTH,
        height=HEIGHT,
        foot=HEIGHT + 16,
        role=panel.role,
        raw=panel.raw,
        depth=len(panel.checkpoint),
        lines="\n".join(lines),
    )


def _line(curve: Sequence[float], low: float, high: float, colour: str, style: str) -> str:
    points = (
        f"{WIDTH * place / (len(curve) - 1):.1f},"
        f"{8 + (HEIGHT - 16) * (high - value) / (high - low):.1f}"
        for place, value in enumerate(curve)
    )
    return _LINE.format(colour=colour, style=style, points=" ".join(points))
