"""How the SVG looks, on a light and on a dark screen."""

from __future__ import annotations

from fpcheck.report.mermaid import COLOURS

FRAME = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" \
viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" font-size="12" role="img" \
aria-labelledby="title described">
<title id="title">{title}</title>
<desc id="described">{description}</desc>
<style>{style}</style>
<rect width="100%" height="100%" class="ground"/>
<g class="ink">
{sections}
</g>
</svg>
"""

# Shades of a score from 0.1 on, in steps of 0.1: one hue, so that no colour vision is asked for.
_LIGHT = (
    *("#e3f1ff", "#c6e0fb", "#a3cbf5", "#7cb2ec", "#569adf"),
    *("#367fcd", "#1f63b0", "#12478c", "#082c62"),
)
_DARK = (
    *("#12263f", "#17375e", "#1c4a80", "#2260a4", "#2f7ac6"),
    *("#4a96dd", "#74b2ee", "#a8d0f8", "#e0effe"),
)


def _scheme(ground: str, ink: str, muted: str, line: str, own: str, other: str, hit: str) -> str:
    return (
        f".ground,.cell{{fill:{ground}}}.ink{{fill:{ink}}}.muted{{fill:{muted}}}"
        f".frame{{fill:none;stroke:{line}}}"
        f".own{{stroke:{own};stroke-width:2}}"
        f".other{{stroke:{other};stroke-width:7;stroke-opacity:.4}}"
        f".hit{{fill:{hit};stroke:{ground}}}"
        f".pass{{fill:{ground};stroke:{hit}}}"
    )


def _shades(colours: tuple[str, ...]) -> str:
    return "".join(
        f".s{level}{{stroke:{colour}}}.k{level}{{fill:{colour}}}"
        for level, colour in enumerate(colours, start=1)
    )


_DAY = _scheme("#ffffff", "#1f2328", "#57606a", "#d0d7de", *COLOURS, "#d1480a")
_NIGHT = _scheme("#0d1117", "#e6edf3", "#9198a1", "#3d444d", "#4493f8", "#f85149", "#ff9b4a")
STYLE = f"{_DAY}{_shades(_LIGHT)}@media(prefers-color-scheme:dark){{{_NIGHT}{_shades(_DARK)}}}"
