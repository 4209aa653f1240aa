"""The one table of the benchmark: what each method says of strangers and of derivatives."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.lineage.methods import UNMEASURED, Finding
from benchmarks.lineage.pairs import Kind, Models, row, unit
from benchmarks.lineage.roc import Roc, roc
from fpcheck.comparison.levels import Level

Pair = tuple[str, str]  # candidate, reference
FOUND = (Level.IDENTICAL, Level.DERIVED, Level.TRANSFORMED)
LEVELS = (*sorted(Level, key=lambda level: -level.rank), UNMEASURED)
SHORT = {Level.TRANSFORMED: "transf.", UNMEASURED: "unmeas."}  # heads of columns
ENOUGH_PAIRS, ENOUGH_FOUND = 300, 0.99  # the bars


@dataclass(frozen=True)
class Method:
    """A method's score of each pair, what it calls descent itself, or why it did not run."""

    values: Mapping[Pair, float] = field(default_factory=dict)
    says: Mapping[Pair, bool] | None = None
    state: str = ""

    def of(self, pair: Pair) -> float:
        """The score of a pair; lower than any where there is none."""
        value = self.values.get(pair, math.nan)
        return -math.inf if math.isnan(value) else value


@dataclass(frozen=True)
class Scored:
    """All pairs of one run."""

    models: Models
    kinds: Mapping[Pair, Kind]
    findings: Mapping[Pair, Finding]
    methods: Mapping[str, Method]

    def of(self, *kinds: Kind) -> list[Pair]:
        """The pairs of some kinds."""
        return [pair for pair, kind in self.kinds.items() if kind in kinds]

    @property
    def strangers(self) -> list[Pair]:
        """Pairs in which any finding is a false alarm."""
        return [pair for pair, kind in self.kinds.items() if kind.is_independent]

    @property
    def derivatives(self) -> list[Pair]:
        """Pairs that are to be found."""
        return self.of(Kind.DERIVED)

    @property
    def false_alarms(self) -> list[Pair]:
        """Strangers at `partial` or above."""
        floor = Level.PARTIAL.rank
        return [p for p in self.strangers if rank(self.findings[p].level) >= floor]

    @property
    def misses(self) -> list[Pair]:
        """Derivatives below `derived-transformed`."""
        return [pair for pair in self.derivatives if self.findings[pair].level not in FOUND]

    def roc(self, method: Method) -> Roc:
        """How well a method's score tells derivatives from strangers."""
        high, low = ([method.of(p) for p in pairs] for pairs in (self.derivatives, self.strangers))
        return roc(high, low)

    def clear(self, method: Method) -> set[Pair]:
        """The derivatives that score higher than every stranger."""
        highest = max((method.of(pair) for pair in self.strangers), default=-math.inf)
        return {pair for pair in self.derivatives if method.of(pair) > highest}


def rank(level: str) -> int:
    """0 for the weakest level and for what could not be measured."""
    return 0 if level == UNMEASURED else Level(level).rank


def own_verdict(findings: Mapping[Pair, Finding]) -> Method:
    """fpcheck as one method among the others."""
    values = {pair: found.value for pair, found in findings.items()}
    return Method(values, {pair: found.level in FOUND for pair, found in findings.items()})


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()
        for cells in rows
    ]


def number(value: float, digits: int = 2) -> str:
    """A number, or a dash where there is none."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"


def middle(values: Iterable[float]) -> float:
    """The median of the known values."""
    known = [value for value in values if not math.isnan(value)]
    return median(known) if known else math.nan


def groups(scored: Scored) -> dict[str, list[Pair]]:
    """Pairs by what they are, then derivatives by how they were made."""
    found: dict[str, list[Pair]] = {str(kind): scored.of(kind) for kind in Kind}
    for pair in sorted(scored.derivatives, key=lambda pair: row(scored.models, *pair)):
        found.setdefault(f"  {row(scored.models, *pair)}", []).append(pair)
    return {name: pairs for name, pairs in found.items() if pairs}


def levels(scored: Scored) -> list[str]:
    """How many pairs of each group reach each level, medians of fpcheck's numbers, and how many
    derivatives each method finds without a false alarm.
    """
    ran = {name: scored.clear(m) for name, m in scored.methods.items() if m.values}
    to_find = set(scored.derivatives)
    rows = [["", "pairs", *(SHORT.get(s, str(s)) for s in LEVELS), "ρ", "q·k", "v·o", *ran]]
    for name, pairs in groups(scored).items():
        clear = [str(len(found & set(pairs))) for found in ran.values()]
        known = clear if to_find & set(pairs) else [""] * len(clear)
        rows.append([name, *_cells(scored, pairs), *known])
    return aligned(rows)


def _cells(scored: Scored, pairs: Sequence[Pair]) -> list[str]:
    findings = [scored.findings[pair] for pair in pairs]
    counts = Counter(found.level for found in findings)
    numbers = [middle(getattr(f, name) for f in findings) for name in ("rho", "qk", "vo")]
    return [
        str(len(pairs)),
        *(str(counts[level]) if counts[level] else "·" for level in LEVELS),
        *(number(value) for value in numbers),
    ]


def methods(scored: Scored) -> list[str]:
    """One row a method: how well its score separates, the extremes, and its own verdicts."""
    head = ("", "area", "found at 0 false", "highest stranger", "lowest derivative", "own verdict")
    rows = [[*head, "false alarms"]]
    for name, method in scored.methods.items():
        rows.append([name, *(_method(scored, method) if method.values else ["–"] * 6)])
    return [*aligned(rows), *(f"{n}: {m.state}" for n, m in scored.methods.items() if m.state)]


def _method(scored: Scored, method: Method) -> list[str]:
    strangers, derivatives, curve = scored.strangers, scored.derivatives, scored.roc(method)
    return [
        number(curve.area, 4),
        f"{len(scored.clear(method))} of {len(derivatives)} ({curve.at_none:.1%})",
        _extreme(method, strangers, max),
        _extreme(method, derivatives, min),
        _share(method.says, derivatives),
        _share(method.says, strangers),
    ]


def _extreme(method: Method, pairs: Sequence[Pair], which: Callable[..., Pair]) -> str:
    if not pairs:
        return "–"
    pair = which(pairs, key=method.of)
    return f"{number(method.of(pair), 3)} {pair[0]} / {pair[1]}"


def _share(says: Mapping[Pair, bool] | None, pairs: Sequence[Pair]) -> str:
    return "–" if says is None else f"{sum(says.get(p, False) for p in pairs)} of {len(pairs)}"


def named(scored: Scored, pairs: Iterable[Pair]) -> list[str]:
    """Pairs by name, with what fpcheck says of each."""
    return [
        f"  {candidate} / {reference}: {found.level}, {scored.kinds[candidate, reference]}, "
        f"{scored.models[candidate].relation}; ρ {number(found.rho, 3)}, forms "
        f"{number(found.qk)} {number(found.vo)}, best {number(found.best)}, "
        f"hits {found.hits[0]} and {found.hits[1]} of {found.hits[2]}"
        f"{f'; {found.why}' if found.why else ''}"
        for candidate, reference in pairs
        for found in [scored.findings[candidate, reference]]
    ]


def sentences(scored: Scored) -> list[str]:
    """What the alignments say in words, by derivation."""
    found: dict[str, Counter[str]] = {}
    for pair in scored.derivatives:
        counts = found.setdefault(row(scored.models, *pair), Counter())
        counts[scored.findings[pair].sentence or "no alignment"] += 1
    return [
        f"  {name}: " + "; ".join(f"{text} ({n})" for text, n in counts.most_common(3))
        for name, counts in sorted(found.items())
    ]


def bars(scored: Scored) -> list[tuple[bool, str]]:
    """Each bar that concerns levels: whether it is met, and the numbers."""
    strangers, derivatives = scored.strangers, scored.derivatives
    alarms, missed = len(scored.false_alarms), len(scored.misses)
    units = len({unit(scored.models, pair) for pair in strangers})
    share = 1 - missed / len(derivatives) if derivatives else 0.0
    of_pairs, of_units = (min(1.0, 3 / max(count, 1)) for count in (len(strangers), units))
    rate = f"the rate is below {of_pairs:.2%} (3/N), {of_units:.2%} if bases are counted once"
    return [
        (
            len(strangers) >= ENOUGH_PAIRS,
            f"{len(strangers):,} independent pairs, {units} of different bases; "
            f"asked: {ENOUGH_PAIRS}",
        ),
        (
            alarms == 0,
            f"{alarms} of them at partial or above; asked: 0{'' if alarms else f'; {rate}'}",
        ),
        (
            share >= ENOUGH_FOUND,
            f"{len(derivatives) - missed} of {len(derivatives)} derivatives ({share:.1%}) at "
            f"derived, derived-transformed or identical; asked: {ENOUGH_FOUND:.0%}",
        ),
    ]
