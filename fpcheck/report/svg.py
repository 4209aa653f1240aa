"""Depth profiles and layer map as one SVG file: the same bytes for the same check."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from fpcheck.check import Check
from fpcheck.comparison.evidence import WeightEvidence
from fpcheck.report import svg_map, view
from fpcheck.report.chart import Panel, panels
from fpcheck.report.layer_map import layer_map
from fpcheck.report.sinks import xml
from fpcheck.report.svg_style import FRAME, STYLE
from fpcheck.report.weighing import aligned

WIDTH, HEIGHT, GAP = 340, 180, 40  # of a panel, and around it, in pixels
HEAD = 64

_PROFILES = """\
<text x="{gap}" y="24" font-size="15" font-weight="600">Depth profile, by role</text>
<g><line x1="{gap}" x2="{key}" y1="43" y2="43" class="own"/>
<text x="{label}" y="47">{checkpoint}</text></g>
<g transform="translate({half} 0)"><line x1="{gap}" x2="{key}" y1="43" y2="43" class="other"/>\
<text x="{label}" y="47">{reference}</text></g>
{panels}"""
_PANEL = """\
<g transform="translate({x} {y})">
<rect width="{width}" height="{height}" class="frame"/>
<text x="0" y="-8" font-weight="600">{role}</text>
<text x="{width}" y="-8" text-anchor="end" class="muted">r = {raw:.4f}</text>
{lines}
<text x="0" y="{foot}" class="muted">layer 1</text>
<text x="{width}" y="{foot}" text-anchor="end" class="muted">{depth}</text>
</g>"""
_LINE = '<polyline fill="none" class="{style}" points="{points}"/>'


class Section(NamedTuple):
    """A part of the picture: its elements, its height, and in words what it shows."""

    elements: str
    height: int
    described: str


def render(check: Check) -> str:
    """The best match's profile and the layer map of the first that has one; "" without either."""
    best = view.best(check)
    drawn = panels(check.signature, best)
    mapped = _map(check, HEAD + _height(drawn) if drawn else GAP // 2)
    if best is None or not (drawn or mapped):
        return ""
    return drawing(drawn, str(check.signature.origin), best.reference.id, mapped)


def drawing(
    drawn: Sequence[Panel], checkpoint: str, reference: str, mapped: Section | None = None
) -> str:
    """The picture of both profiles, two panels a row; the names are untrusted text."""
    profiles = _profiles(drawn, checkpoint, reference) if drawn else None
    sections = [section for section in (profiles, mapped) if section]
    return FRAME.format(
        width=2 * (WIDTH + GAP) + GAP,
        height=sum(section.height for section in sections) + (0 if profiles else GAP // 2),
        title=xml(f"{checkpoint} and {reference}"),
        description=" ".join(section.described for section in sections),
        style=STYLE,
        sections="\n".join(section.elements for section in sections),
    )


def _profiles(drawn: Sequence[Panel], checkpoint: str, reference: str) -> Section:
    elements = _PROFILES.format(
        half=WIDTH + GAP,
        gap=GAP,
        key=GAP + 30,
        label=GAP + 38,
        checkpoint=xml(short(checkpoint)),
        reference=xml(short(reference)),
        panels="\n".join(_panel(place, panel) for place, panel in enumerate(drawn)),
    )
    roles = ", ".join(f"{panel.role} {panel.raw:.4f}" for panel in drawn)
    described = f"Depth profiles of both, standardised; their correlation by role: {roles}."
    return Section(elements, HEAD + _height(drawn), described)


def _height(drawn: Sequence[Panel]) -> int:
    return (len(drawn) + 1) // 2 * (HEIGHT + 2 * GAP)


def _map(check: Check, y: int) -> Section | None:
    """The layer map of the first match with evidence of its weights."""
    match = view.weighed(check)
    if match is None:
        return None
    drawn = layer_map(check.signature, match, match.weights[0], svg_map.LIMIT)
    if drawn is None:
        return None
    words = _words(match.weights[0])
    elements = svg_map.section(drawn, short(match.reference.id), words, GAP, y)
    described = f"Layer map: {drawn.shows}. {' '.join(words)}"
    return Section(elements, svg_map.height(drawn), xml(described))


def _words(weights: WeightEvidence) -> list[str]:
    """What the path shows: lines that fit beside the map."""
    hits, path = (a.hits, a.path) if (a := weights.alignment) else (0, ())
    told = [f"{aligned(weights)}.", f"{hits} of {len(path)} layers have evidence of their own."]
    return [line for text in told for line in textwrap.wrap(text, svg_map.MAX_CHARACTERS)]


def short(name: str) -> str:
    """The end of a name that is too long for the picture."""
    return name if len(name) <= 44 else "…" + name[-43:]


def _panel(place: int, panel: Panel) -> str:
    values = panel.checkpoint + panel.reference
    low, high = min(values), max(values)
    lines = (
        # Wide and pale below thin and dark, so that both show where they coincide.
        _line(panel.reference, low, high, "other"),
        _line(panel.checkpoint, low, high, "own"),
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


def _line(curve: Sequence[float], low: float, high: float, style: str) -> str:
    points = (
        f"{WIDTH * place / (len(curve) - 1):.1f},"
        f"{8 + (HEIGHT - 16) * (high - value) / (high - low):.1f}"
        for place, value in enumerate(curve)
    )
    return _LINE.format(style=style, points=" ".join(points))
