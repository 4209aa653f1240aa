"""Anchored attention forms: what a layer's attention does to the anchors, in no basis.

With whitened anchors X and gains folded in, A_qk = Σ_h (X W_qᵀ)_h (X W_kᵀ)_hᵀ says how strongly
each anchor attends to each other one, and A_vo = Σ_h (X W_vᵀ)_h (X W_o)_hᵀ what it writes towards
it. Both stay the same under permutations, rotations and rescalings that preserve the function. Of
both, what strangers share is taken out.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fpcheck.anchors import ANCHORS as SPELLED
from fpcheck.signature.arrays import ANCHORS, FORM, Bytes
from fpcheck.signature.positions import draws

NOTHING = 1e-9  # of a form's largest entry: less is rounding
LARGEST = 127  # of a byte
# Standard deviations that it stands for at the most: if it were always the largest entry, one
# outlier would leave all others no digits.
WIDEST = 6.0

Doubles = NDArray[np.float64]


def form(one: Doubles, other: Doubles, head: int | None) -> Doubles | None:
    """Σ over heads of one × otherᵀ: (anchors × anchors), from (anchors × channels) each.

    Where `one` has several heads for each of `other`, `head` is the size of a head: those that
    share one are added up. None when the channels do not divide so.
    """
    if one.shape[1] != other.shape[1]:
        wide, narrow = one.shape[1], other.shape[1]
        if head is None or narrow == 0 or narrow % head or wide % narrow:
            return None
        grouped = one.reshape(len(one), narrow // head, wide // narrow, head)
        one = grouped.sum(axis=2).reshape(len(one), narrow)
    product: Doubles = one @ other.T
    return product


def distinct(raw: Doubles, known: NDArray[np.bool_]) -> Doubles:
    """What a form has of its own, over the anchors that are known: (known × known).

    Strangers that learned from like texts treat digits, letters and signs alike, and share one
    further direction: so rows and columns are centred within each of the three classes, and the
    leading singular component is taken out. Twins that differ in their seed alone correlated up to
    0.45 before and 0.17 after, a model and its further training 0.73 and 0.62 (benchmarks/lineage).
    """
    members = classes()[known]
    basis, _ = np.linalg.qr(members[:, members.any(axis=0)])
    own = raw[np.ix_(known, known)]
    own = own - basis @ (basis.T @ own)
    own = own - own @ basis @ basis.T
    left, values, right = np.linalg.svd(own)
    rest: Doubles = own - values[0] * np.outer(left[:, 0], right[0])
    return rest


def packed(raw: Doubles, known: NDArray[np.bool_]) -> Bytes:
    """What a form has of its own, as bytes in the recipe's order.

    All 0 when nothing is left of it, or it is not finite: then it says nothing.
    """
    result = np.zeros((ANCHORS, ANCHORS), np.int8)
    if np.isfinite(raw).all():
        own = distinct(raw, known)
        scale = min(np.abs(own).max(), WIDEST * own.std())
        if scale > NOTHING * np.abs(raw).max():
            result[np.ix_(known, known)] = np.rint((own / scale).clip(-1, 1) * LARGEST)
    return result.reshape(-1)[order()]


@lru_cache(maxsize=1)
def classes() -> Doubles:
    """Which anchors are digits, letters and signs: (ANCHORS × 3)."""
    kinds = [(a.isdigit(), a.isalpha(), not a.isalnum()) for a in SPELLED]
    return np.array(kinds, dtype=np.float64)


@lru_cache(maxsize=1)
def order() -> NDArray[np.int64]:
    """The order in which entries are kept, shuffled: a first part of them is a fair sample."""
    draw = draws("order of entries")
    return np.argsort([next(draw) for _ in range(FORM)], kind="stable")
