"""Which layer of a reference each layer of a checkpoint stands for: the best path, in words too.

A path gives every layer of the checkpoint one of the reference's. From one layer to the next it
goes one step down; to repeat a layer, to skip some or to go back costs evidence, so that chance
does not make it jump.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fpcheck.comparison.evidence import Aligned, Alignment

# In the units of the scores, decimal digits of evidence.
REPEAT, SKIP, BACK = 2.0, 2.0, 3.0
APART = 3  # layers from one hit to the next that a stretch may have, where all are measured
MOST = 12.0  # digits that one layer may add: one sure layer must not pay for wrong ones

Table = NDArray[np.float64]
Run = tuple[int, int, int]  # first layer, first layer of the reference, length


def align(
    scores: Table, layers: Sequence[int], references: Sequence[int], measured: int | None = None
) -> Alignment:
    """The best path through scores (layers × layers of the reference); those above 0 are hits.

    `measured` is of how many layers there are scores at all, where not of every one.
    """
    gains = np.clip(np.nan_to_num(scores, nan=0.0), 0, MOST)
    chosen = _best(gains)
    steps = [(i, j, bool(scores[i, j] > 0)) for i, j in enumerate(chosen)]
    path = tuple(Aligned(layers[i], references[j], hit) for i, j, hit in steps)
    places = [(i, j) for i, j, hit in steps if hit]
    return Alignment(path, sentence(places, layers, references, measured or len(layers)))


def _best(gains: Table) -> list[int]:
    """The reference's layer for each layer, by dynamic programming."""
    depth, others = gains.shape
    jump = np.arange(others)[None, :] - np.arange(others)[:, None]  # from row to column
    costs = np.select([jump == 1, jump == 0, jump > 1], [0.0, REPEAT, SKIP], BACK)
    total = gains[0].copy()
    origins = np.zeros((depth, others), np.intp)
    for layer in range(1, depth):
        ways = total[:, None] - costs
        origins[layer] = ways.argmax(axis=0)
        total = ways.max(axis=0) + gains[layer]
    path = [int(total.argmax())]
    for layer in range(depth - 1, 0, -1):
        path.append(int(origins[layer, path[-1]]))
    return path[::-1]


def sentence(
    hits: Sequence[tuple[int, int]],
    layers: Sequence[int],
    references: Sequence[int],
    measured: int,
) -> str:
    """What the hits show of how the depth was changed; "" without any."""
    if not hits:
        return ""
    step = _stride(hits, len(references))
    if step > 1:
        first, last = hits[0], hits[-1]
        return (
            f"every {_ordinal(step)} layer: {_range(layers, first[0], last[0])} ↔ "
            f"{_range(references, first[1], last[1])} in steps of {step}"
        )
    runs = _runs(hits, APART * -(-len(layers) // max(measured, 1)))
    shown = ", ".join(
        f"{_range(layers, i, i + n - 1)} ↔ {_range(references, j, j + n - 1)}" for i, j, n in runs
    )
    return f"{_kind(runs, hits, layers, references, measured)}: layers {shown}"


def _stride(hits: Sequence[tuple[int, int]], depth: int) -> int:
    """n where each layer is the n-th after the last one's, throughout the reference; else 1."""
    steps = {after[1] - before[1] for before, after in pairwise(hits)}
    near = all(after[0] - before[0] == 1 for before, after in pairwise(hits))
    if len(steps) != 1 or not near or len(hits) < 3:
        return 1
    step = steps.pop()
    return step if step > 1 and len(hits) * step >= depth - step else 1


def _runs(hits: Sequence[tuple[int, int]], apart: int) -> list[Run]:
    """Stretches in which both layers go down together, also past a few layers without a hit."""
    runs: list[Run] = []
    for i, j in hits:
        near = runs and i - sum(runs[-1][::2]) < apart
        if near and i - runs[-1][0] == j - runs[-1][1]:
            runs[-1] = (*runs[-1][:2], i - runs[-1][0] + 1)
        else:
            runs.append((i, j, 1))
    return runs


def _kind(
    runs: Sequence[Run],
    hits: Sequence[tuple[int, int]],
    layers: Sequence[int],
    references: Sequence[int],
    measured: int,
) -> str:
    own, theirs = {i for i, _ in hits}, {j for _, j in hits}
    repeated = len(theirs) < len(own)
    back = any(after[1] < before[1] for before, after in pairwise(hits))
    covered = len(own) * 3 >= measured * 2
    if len(layers) == len(references) and covered and all(i == j for i, j, _ in runs):
        return "identical depth"
    if repeated and covered:
        return "depth up-scaling" if len(layers) > len(references) else "layers repeated"
    if covered and not back and len(layers) != len(references):
        return "layers removed" if len(layers) < len(references) else "layers added"
    if covered:
        return "layers moved"
    if len(theirs) * 3 >= len(references) * 2:
        return "layers added"
    return (
        "one block taken from elsewhere" if len(runs) == 1 else "some layers taken from elsewhere"
    )


def _range(numbers: Sequence[int], first: int, last: int) -> str:
    low, high = numbers[first], numbers[last]
    return str(low) if low == high else f"{low}–{high}"


def _ordinal(number: int) -> str:
    words = {2: "second", 3: "third", 4: "fourth", 5: "fifth"}
    return words.get(number, f"{number}th")
