"""Numbers as reports print them: four digits, and rates that say what they rest on."""

from __future__ import annotations

import math

from fpcheck.comparison.background import Background
from fpcheck.comparison.evidence import p_value

ABSENT = "–"


def four(value: float) -> str:
    """A correlation to four digits, "–" where it is undefined."""
    return ABSENT if math.isnan(value) else f"{value:.4f}"


def two(value: float) -> str:
    """A correlation to two digits, where there is room for no more."""
    return ABSENT if math.isnan(value) else f"{value:.2f}"


def percent(rate: float) -> str:
    """A rate in percent, two digits."""
    if math.isnan(rate):
        return ABSENT
    return f"{100 * rate:.0f} %" if rate > 0.0995 else f"{100 * rate:.2g} %"


def probability(p: float) -> str:
    """A p-value in words, "–" where it is undefined."""
    return ABSENT if math.isnan(p) else p_value(p)


def none_of(count: int, what: str) -> str:
    """The 3/N bound on a false-positive rate: none of `count` independent tries came so far."""
    return f"< {percent(min(1.0, 3 / count))} (0 of {count:,} {what})" if count else ABSENT


def rate(background: Background) -> str:
    """The false-positive rate that a background supports, and from how many families."""
    if not background.families:
        return "no stranger of like depth"
    sign = "<" if background.bound else "≈"
    return f"{sign} {percent(background.rate)} ({background.reaching} of {background.families})"


def worse(one: Background, other: Background) -> Background:
    """The one of two backgrounds that says more against a resemblance.

    Hits before bounds: "0 of 100" bounds the rate at 3 %, and "2 of 100" is still worse news.
    """
    return max(one, other, key=_severity)


def _severity(background: Background) -> tuple[float, float]:
    share = background.reaching / background.families if background.families else -1.0
    return share, background.rate if background.families else 0.0


def spread(background: Background) -> str:
    """The median and the highest score of strangers."""
    return f"{four(background.median)} … {four(background.highest)}"


def size(count: int) -> str:
    """A number of bytes."""
    return f"{count:,}"
