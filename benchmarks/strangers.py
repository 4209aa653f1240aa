"""How strangers score in the built-in library: what README and reports quote of false alarms.

    python -m benchmarks.strangers

Every reference is compared with every reference of another family and of like depth. A family
counts once, by its best stranger, because references of one family are not independent.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fpcheck.comparison import ProfileIndex
from fpcheck.comparison.background import like_depths
from fpcheck.comparison.index import DETRENDED, RAW
from fpcheck.references import builtin_folder, load_library

THRESHOLDS = ((0.85, None), (0.90, None), (0.95, None), (0.95, 0.80))
DEPTHS = (4, 8)
Pair = tuple[int, int, int, float, float]  # two places, fewer layers, raw, detrended


def pairs(index: ProfileIndex) -> Iterator[Pair]:
    """Each pair of strangers of like depth, once."""
    for place, reference in enumerate(index.library.references):
        raw, detrended = (index.best(reference.signature.towers)[s] for s in (RAW, DETRENDED))
        strangers = (index.families != index.families[place]) & ~np.isnan(raw)
        strangers &= like_depths(int(index.reference_depths[place]), index.reference_depths)
        for other in np.flatnonzero(strangers[:place]):
            layers = int(min(index.reference_depths[place], index.reference_depths[other]))
            yield place, int(other), layers, float(raw[other]), float(detrended[other])


def rows(index: ProfileIndex, found: list[Pair], depth: int) -> Iterator[str]:
    """The table's lines for pairs of at least that many layers."""
    deep = [pair for pair in found if pair[2] >= depth]
    judged = {int(index.families[place]) for pair in deep for place in pair[:2]}
    for raw, detrended in THRESHOLDS:
        hits = [p for p in deep if p[3] >= raw and (detrended is None or p[4] >= detrended)]
        hit = {int(index.families[place]) for pair in hits for place in pair[:2]}
        asked = "any" if detrended is None else f">= {detrended:.2f}"
        yield (
            f">= {depth:<3}  >= {raw:.2f}  {asked:<9}  {len(hits):>3} of {len(deep)} "
            f"({len(hits) / len(deep):.2%})  {len(hit):>3} of {len(judged)} "
            f"({len(hit) / len(judged):.1%})"
        )
    top = max(deep, key=lambda pair: pair[3])
    names = " and ".join(index.library.references[place].id for place in top[:2])
    yield f"highest over >= {depth} layers: {top[3]:.4f} raw, {top[4]:.4f} detrended, {names}"


def main() -> None:
    """Print the table."""
    index = ProfileIndex(load_library([builtin_folder()]))
    found = list(pairs(index))
    count = len(set(index.families.tolist()))
    print(f"{len(index.library.references)} references in {count} families")
    print("layers  raw      detrended  pairs that reach it    families with such a stranger")
    for depth in DEPTHS:
        for row in rows(index, found, depth):
            print(row)


if __name__ == "__main__":
    main()
