"""What the weights say, made by hand: one value for each story that a report has to tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from fpcheck.check import Check
from fpcheck.comparison import Level, Match
from fpcheck.comparison.evidence import (
    Aligned,
    Alignment,
    FormEvidence,
    Merge,
    Parent,
    SampleEvidence,
    WeightEvidence,
)
from tests.report.checks import a_passing_check

TOWER = "model.layers"
ROLES = ("q", "k", "v", "o", "gate", "up", "down")


def a_table(
    depth: int, others: int, path: Sequence[Aligned], value: float, noise: float
) -> np.ndarray:
    """Scores of a path in noise, the same each time."""
    table = np.random.default_rng(depth * 1000 + others).normal(0, noise, (depth, others))
    for step in path:
        if step.hit:
            table[step.layer, step.reference] += value
    return np.clip(table, -1, 1)


def a_path(references: Sequence[int], missed: Sequence[int] = ()) -> tuple[Aligned, ...]:
    """Each layer stands for the reference's at its place in `references`."""
    return tuple(Aligned(n, m, n not in missed) for n, m in enumerate(references))


def samples(hits: int, of: int, rho: float = 0.9921, **values: object) -> SampleEvidence:
    """Agreements of a model with so many significant layers."""
    found = SampleEvidence(
        rho=rho,
        roles={role: round(rho - 0.003 * n, 4) for n, role in enumerate(ROLES)},
        agreements=27_525,
        count=28_672,
        p_equal_depth=0.0,
        p=1e-250,
        p_best=1e-280,
        p_holm=1e-248,
        p_best_holm=1e-278,
        hits=hits,
        of=of,
    )
    return replace(found, **values)  # type: ignore[arg-type]  # fields of it


def no_samples(of: int) -> SampleEvidence:
    """What strangers' agreements look like."""
    p = {"p_equal_depth": 0.41, "p": 1.0, "p_best": 0.07, "p_holm": 1.0, "p_best_holm": 0.63}
    return samples(0, of, rho=0.0008, agreements=14_355, **p)


def forms(hits: int, of: int, qk: float = 0.9912, vo: float = 0.9804) -> FormEvidence:
    """Attention forms with so many significant layers."""
    best = max(qk, vo) + 0.004
    return FormEvidence(qk, vo, best, hits, of, 0.45, 0.2417, 364, 0.0001 if hits else 0.37)


def weights(
    path: Sequence[Aligned],
    others: int,
    sentence: str,
    found: SampleEvidence | None,
    shapes: FormEvidence | None,
    kind: str = "samples",
    value: float = 0.98,
) -> WeightEvidence:
    """The evidence of one tower."""
    return WeightEvidence(
        tower=TOWER,
        reference_tower=TOWER,
        samples=found,
        forms=shapes,
        alignment=Alignment(tuple(path), sentence),
        kind=kind,
        table=a_table(len(path), others, path, value, 0.04 if kind == "samples" else 0.09),
        along=(0.9987, 0.9969),
        vectors={"norm": 0.9981, "q.norm": None},
    )


def up_scaled() -> WeightEvidence:
    """Ten layers made of a reference's eight."""
    said = "depth up-scaling: layers 0–5 ↔ 0–5, 6–9 ↔ 4–7"
    path = a_path([*range(6), *range(4, 8)])
    low = samples(10, 10, agreements=22_104)
    return weights(path, 8, said, low, forms(10, 10))


def turned() -> WeightEvidence:
    """The same model in another basis."""
    return weights(
        a_path(range(10)),
        10,
        "identical depth: layers 0–9 ↔ 0–9",
        no_samples(10),
        forms(10, 10),
        "forms",
        0.97,
    )


def part() -> WeightEvidence:
    """Three layers of another model; nothing is known of its forms."""
    path = a_path([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], missed=[0, 1, 5, 6, 7, 8, 9])
    said = "one block taken from elsewhere: layers 2–4 ↔ 2–4"
    return weights(
        path, 10, said, samples(3, 10, rho=0.0131, agreements=17_001, p=1.0, p_holm=1.0), None
    )


def nothing() -> WeightEvidence:
    """A stranger."""
    path = a_path([0, 1, 2, 3, 3, 4, 4, 5, 6, 7], missed=range(10))
    return weights(path, 8, "", no_samples(10), forms(0, 10, 0.0318, 0.0275))


def told(check: Check, level: Level, *found: WeightEvidence, identical: str = "") -> Check:
    """A check whose first match has this level and evidence."""
    first, *rest = check.matches or ()
    weighed = replace(first, level=level, weights=found, identical=identical)
    return replace(check, matches=(weighed, *rest))


def merged(check: Check) -> Check:
    """A check of a merge of the first two matches."""
    first, second, *rest = check.matches or ()
    found = weights(
        a_path(range(10)),
        10,
        "identical depth: layers 0–9 ↔ 0–9",
        samples(10, 10, rho=0.81),
        forms(10, 10, 0.83, 0.79),
        value=0.8,
    )
    both: list[Match] = [replace(m, level=Level.DERIVED, weights=(found,)) for m in (first, second)]
    parents = (
        Parent(first.reference.id, 0.6213, 0.8712),
        Parent(second.reference.id, 0.3787, 0.5513),
    )
    return replace(check, matches=(*both, *rest), merge=Merge(parents, 0.0021, 0.1934))


STORIES: Mapping[str, Callable[[Path], Check]] = MappingProxyType(
    {
        "derived": lambda folder: told(a_passing_check(folder), Level.DERIVED, up_scaled()),
        "transformed": lambda folder: told(a_passing_check(folder), Level.TRANSFORMED, turned()),
        "partial": lambda folder: told(a_passing_check(folder), Level.PARTIAL, part()),
        "none": lambda folder: told(a_passing_check(folder), Level.NONE, nothing()),
        "merge": lambda folder: merged(a_passing_check(folder)),
    }
)
