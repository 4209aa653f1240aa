"""The depth profiles as Mermaid charts, which GitHub draws in place."""

from __future__ import annotations

from collections.abc import Sequence

from fpcheck.report.chart import Panel
from fpcheck.report.sinks import Markup

COLOURS = ("#0969da", "#cf222e")  # checkpoint, reference
MAX_LABELS = 32
# No untrusted text goes in here: the legend is in the report's own words.
_CHART = """\
```mermaid
---
config:
  xyChart:
    width: 700
    height: 220
  themeVariables:
    xyChart:
      plotColorPalette: "{colours}"
---
xychart-beta
    title "{role}: standardised spread of the weights, by layer (r = {raw:.4f})"
    x-axis "layer" {depth}
    y-axis {low:.1f} --> {high:.1f}
    line [{reference}]
    line [{checkpoint}]
```"""


def charts(panels: Sequence[Panel]) -> Markup:
    """One chart a role, the checkpoint in the first colour and the reference in the second."""
    return Markup("\n\n".join(_chart(panel) for panel in panels))


def _chart(panel: Panel) -> str:
    values = panel.checkpoint + panel.reference
    return _CHART.format(
        colours=", ".join(reversed(COLOURS)),  # what coincides shows as the checkpoint's
        role=panel.role,
        raw=panel.raw,
        depth=_axis(len(panel.checkpoint)),
        low=min(values) - 0.2,
        high=max(values) + 0.2,
        checkpoint=", ".join(f"{value:g}" for value in panel.checkpoint),
        reference=", ".join(f"{value:g}" for value in panel.reference),
    )


def _axis(depth: int) -> str:
    """Every layer by its number, or a range where there is no room for that."""
    if depth > MAX_LABELS:
        return f"1 --> {depth}"
    return "[" + ", ".join(str(layer) for layer in range(1, depth + 1)) + "]"
