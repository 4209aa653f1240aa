"""Numbers as reports print them: four digits, and rates that say what they rest on."""

from __future__ import annotations

import math

from fpcheck.comparison.background import Background
from fpcheck.report.sinks import Markup


def four(value: float) -> Markup:
    """A correlation to four digits, "–" where it is undefined."""
    return Markup("–" if math.isnan(value) else f"{value:.4f}")


def percent(rate: float) -> str:
    """A rate in percent, two digits."""
    if math.isnan(rate):
        return "–"
    return f"{100 * rate:.0f} %" if rate > 0.0995 else f"{100 * rate:.2g} %"


def rate(background: Background) -> Markup:
    """The false-positive rate that a background supports, and from how many families."""
    if not background.families:
        return Markup("no stranger of like depth")
    sign = "&lt;" if background.bound else "≈"
    return Markup(
        f"{sign} {percent(background.rate)} ({background.reaching} of {background.families})"
    )


def spread(background: Background) -> Markup:
    """The median and the highest score of strangers."""
    return Markup(f"{four(background.median)} … {four(background.highest)}")


def size(count: int) -> Markup:
    """A number of bytes."""
    return Markup(f"{count:,}")
