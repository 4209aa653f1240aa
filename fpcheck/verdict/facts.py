"""All that a rule may look at, and what the recorded lineage makes of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from fpcheck.comparison import Level, Match
from fpcheck.comparison.evidence import WeightEvidence
from fpcheck.comparison.reached import level_of
from fpcheck.references import Library

# 1 - ρ: what two derivatives of one base differ by is the sum of what each has changed, so either
# is nearer to the base than to the other. Half as far as the base is no sibling's place.
NEARER = 0.5
ROUNDING = 1e-5  # 1 - ρ up to which a dtype alone explains the distance: bfloat16 leaves 1e-6
SIBLING = "expected of a common ancestor"


@dataclass(frozen=True)
class Nearer:
    """1 - ρ to a reference, and to the nearest that the declaration allows, which is `id`."""

    here: float
    there: float
    id: str


@dataclass(frozen=True)
class Facts:
    """All that a rule may look at.

    `matches` is None when nothing could be measured; `unmeasured` are the reasons, also for parts,
    and `covered` says whether the parts that were measured make up for the whole. `declared` are
    the ids that the policy and the model card declare, and `parts` the names of towers that are
    only a part beside the text's: a vision tower, say.
    """

    matches: tuple[Match, ...] | None
    unmeasured: tuple[str, ...]
    covered: bool
    declared: frozenset[str]
    library: Library
    parts: frozenset[str] = frozenset()

    def excuse(self, match: Match) -> tuple[str, str] | None:
        """Why a match is to be expected of what is declared: in words, and of which id."""
        identity = match.reference.id
        if identity in self.declared:
            return "declared", ""
        for base in sorted(self.declared):
            if identity in self.library.ancestors(base):
                return "a recorded ancestor of the declared", base
        shared = self.shared(identity)
        if shared and (match.level is not Level.IDENTICAL or self._base_is_identical(match)):
            return SIBLING, shared
        return None

    def shared(self, identity: str) -> str:
        """The nearest ancestor of an id that is accepted: that with most of its own; or ""."""
        common = self.library.ancestors(identity) & self._accepted
        return min(common, key=lambda i: (-len(self.library.ancestors(i)), i), default="")

    def nearer(self, match: Match) -> Nearer | None:
        """How much nearer than any accepted reference this one is, if it is no mere sibling.

        Both distances are of the same tower. Where the nearest common ancestor has no samples,
        nothing says how near a sibling may be.
        """
        base = self._distances.get(self.shared(match.reference.id), {})
        for tower, here in self._distances.get(match.reference.id, {}).items():
            known = [(each[tower], i) for i, each in self._allowed.items() if tower in each]
            there, identity = min(known, default=(math.nan, ""))
            if tower in base and there > ROUNDING and here < NEARER * there:
                return Nearer(here, there, identity)
        return None

    def contradicted(self, match: Match, tower: str) -> bool:
        """Whether a tower's weights, in both kinds of evidence, show nothing of a reference.

        Signs alone do not: a permutation hides descent from them, and leaves the profile.
        """
        found = [e for e in self._weights.get(match.reference.id, ()) if e.tower == tower]
        none = all(level_of(evidence) is Level.NONE for evidence in found)
        return none and any(evidence.samples and evidence.forms for evidence in found)

    @cached_property
    def looks(self) -> int:
        """How many comparisons of weights were made, each kind of evidence for itself."""
        every = [evidence for found in self._weights.values() for evidence in found]
        return sum((e.samples is not None) + (e.forms is not None) for e in every)

    def _base_is_identical(self, match: Match) -> bool:
        """Whether an accepted reference is identical too: then a sibling may be.

        Models that only added a head to one base all have its attention. Equal digests are more.
        """
        return not match.same_files and any(
            other.level is Level.IDENTICAL and other.reference.id in self._accepted
            for other in self.matches or ()
        )

    @cached_property
    def _accepted(self) -> frozenset[str]:
        """The declared ids and all their recorded ancestors."""
        return self.declared.union(*map(self.library.ancestors, self.declared))

    @cached_property
    def _weights(self) -> Mapping[str, tuple[WeightEvidence, ...]]:
        """By id: one may have two references, of which the published figures have no weights."""
        found: dict[str, tuple[WeightEvidence, ...]] = {}
        for match in self.matches or ():
            found[match.reference.id] = found.get(match.reference.id, ()) + match.weights
        return found

    @cached_property
    def _distances(self) -> Mapping[str, Mapping[str, float]]:
        """By id and tower, parts apart: the least 1 - ρ."""
        found: dict[str, dict[str, float]] = {}
        for identity, each in self._weights.items():
            for evidence in each:
                distance = 1 - evidence.samples.rho if evidence.samples else math.nan
                if evidence.tower not in self.parts and not math.isnan(distance):
                    towers = found.setdefault(identity, {})
                    towers[evidence.tower] = min(distance, towers.get(evidence.tower, math.inf))
        return found

    @property
    def _allowed(self) -> Mapping[str, Mapping[str, float]]:
        return {i: each for i, each in self._distances.items() if i in self._accepted}
