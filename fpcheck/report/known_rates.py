"""What is known about the bare threshold of the paper, for policies that set it.

TensorLock, a public study of 137 models in 17 lineages: 8,698 pairs across lineages. Model pairs
of one pair of lineages are not independent, so zero hits bound the rate by the 136 pairs of
lineages: 1 - 0.025^(1/136), exact binomial, 97.5 %.
"""

from __future__ import annotations

from fpcheck.comparison.background import Background
from fpcheck.report.numbers import percent

# raw threshold → share of the 8,698 unrelated pairs at or above it
STUDY = {0.90: 0.023, 0.95: 0.0}
BOUND_AT_ZERO = 0.027


def study(threshold: float) -> str:
    """What the study found at the highest threshold it reports that is not above this one."""
    known = [raw for raw in STUDY if raw <= threshold]
    if not known:
        return f"more than {percent(STUDY[min(STUDY)])}, its share at {min(STUDY):.2f}"
    at = max(known)
    if not STUDY[at]:
        return f"none at {at:.2f} or above, which bounds the rate below {percent(BOUND_AT_ZERO)}"
    return f"{percent(STUDY[at])} at {at:.2f} or above"


def library_rate(background: Background) -> str:
    """What this library's own strangers do at the threshold."""
    share = "none" if background.bound else str(background.reaching)
    return f"{share} of {background.families} unrelated families"
