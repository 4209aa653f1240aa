"""The pipeline in order: source → checkpoint → attention → signature → comparison → verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fpcheck.adapters import merged
from fpcheck.attention import find_attention
from fpcheck.checkpoint import Checkpoint, read_checkpoint
from fpcheck.comparison import Level, Match, ProfileIndex, match
from fpcheck.comparison.background import Background
from fpcheck.comparison.evidence import Merge
from fpcheck.comparison.false_alarms import false_alarms
from fpcheck.comparison.identity import parts
from fpcheck.comparison.merges import merge_of
from fpcheck.comparison.profile import incomparable
from fpcheck.coverage import ENOUGH, Coverage, coverage
from fpcheck.encodings import decoded
from fpcheck.errors import EXIT_OBJECTION, EXIT_OK, EXIT_UNCHECKED
from fpcheck.layouts import Kind
from fpcheck.policy import Policy
from fpcheck.references import Library
from fpcheck.signature import RECIPE, Signature
from fpcheck.signature.digests import digests
from fpcheck.signature.measure import measure
from fpcheck.signature.probes import doubtful, probes_of, unanchored
from fpcheck.source import Source
from fpcheck.verdict import Facts, Outcome, Verdict, judge

Progress = Callable[[str, int, int], None]  # what is being done, bytes done, bytes in all


@dataclass(frozen=True)
class Check:
    """One finished check: everything that a report may say.

    `false_alarms` say how strangers of the library do at the policy's bare threshold, if it has
    one; `folders` are the library folders that were named beside the policy's own; `base` is what
    an adapter was merged with, and `merge` the combination of references that it looks like.
    """

    signature: Signature
    card_bases: tuple[str, ...]
    matches: tuple[Match, ...] | None
    verdict: Verdict
    policy: Policy
    library: Library
    false_alarms: Background | None = None
    folders: tuple[str, ...] = ()
    base: str = ""
    merge: Merge | None = None

    @property
    def exit_code(self) -> int:
        """0 pass or warn, 1 the policy objects, 3 it demanded what could not be measured."""
        if any(f.outcome is Outcome.FAIL and not f.unchecked for f in self.verdict.findings):
            return EXIT_OBJECTION
        return EXIT_UNCHECKED if self.verdict.unchecked else EXIT_OK


@dataclass(frozen=True)
class Reading:
    """What was read of one checkpoint: its tables, its signature, and how much that covers."""

    checkpoint: Checkpoint
    signature: Signature
    coverage: Coverage


def fingerprint(
    source: Source,
    *,
    base: Source | None = None,
    digest: bool = True,
    progress: Progress | None = None,
) -> Reading:
    """The signature of a checkpoint, or of an adapter on its base; with `digest`, of its files too.

    Raises CheckError when it cannot be read, UsageError when there is nothing to read.
    """
    checkpoint, undecoded = merged(source, base) if base else decoded(read_checkpoint(source))
    attention = find_attention(checkpoint)
    probes = probes_of(checkpoint, attention)
    towers = measure(checkpoint, attention, probes, progress=_named(progress, "measuring"))
    files = checkpoint.files
    if digest:
        files = digests(source, files, progress=_named(progress, "hashing"))
    covered = coverage(checkpoint, attention.towers)
    strays = (f"{name}: a weight file that was not looked into" for name in checkpoint.strays)
    signature = Signature(
        recipe=RECIPE,
        origin=source.origin,
        model_type=checkpoint.model_type,
        files=files,
        towers=towers,
        unmeasured=(
            *undecoded,
            *attention.unmeasured,
            *doubtful(probes, attention),
            *filter(None, [covered.gap]),
            *strays,
        ),
        notes=(*checkpoint.notes, *attention.notes, *unanchored(probes)),
    )
    return Reading(checkpoint, signature, covered)


def check(
    source: Source,
    library: Library,
    policy: Policy,
    *,
    folders: tuple[str, ...] = (),
    base: Source | None = None,
    progress: Progress | None = None,
) -> Check:
    """The whole check of one checkpoint, or of an adapter on its base, under a policy."""
    index = ProfileIndex(library)
    reading = fingerprint(source, base=base, progress=progress)
    signature, bases = reading.signature, reading.checkpoint.declared_bases
    declared = frozenset(policy.declared) | frozenset(bases)
    facts = Facts(
        matches=_matches(signature, index, declared),
        unmeasured=(*signature.unmeasured, *filter(None, map(incomparable, signature.towers))),
        covered=reading.coverage.share >= ENOUGH,
        declared=declared,
        library=library,
        parts=parts(signature.towers),
    )
    bare = policy.bare_threshold
    return Check(
        signature=signature,
        card_bases=bases,
        matches=facts.matches,
        verdict=judge(policy, facts),
        policy=policy,
        library=library,
        false_alarms=None if bare is None else false_alarms(index, bare),
        folders=folders,
        base=str(base.origin) if base else "",
        merge=merge_of(signature, facts.matches or ()),
    )


def _matches(
    signature: Signature, index: ProfileIndex, declared: frozenset[str]
) -> tuple[Match, ...] | None:
    """The matches; None when the checkpoint could not be compared.

    It can be where a tower has a curve, or every reference has weights to compare with instead; and
    whatever shows descent was compared.
    """
    found = match(signature, index, declared)
    comparable = any(not incomparable(t) for t in signature.towers if t.kind is Kind.SELF)
    weighed = {match.reference.id for match in found if match.weights}
    comparable = comparable or weighed.issuperset(r.id for r in index.library.references)
    sure = any(match.level.rank > Level.RESEMBLES.rank for match in found)
    return found if comparable or sure else None


def _named(progress: Progress | None, what: str) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    return lambda done, total: progress(what, done, total)
