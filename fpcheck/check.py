"""The pipeline in order: source → checkpoint → attention → signature → comparison → verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fpcheck.attention import find_attention
from fpcheck.checkpoint import Checkpoint, read_checkpoint
from fpcheck.comparison import Match, ProfileIndex, match
from fpcheck.comparison.profile import incomparable
from fpcheck.errors import EXIT_OBJECTION, EXIT_OK, EXIT_UNCHECKED
from fpcheck.policy import Policy
from fpcheck.references import Library
from fpcheck.signature import RECIPE, Signature
from fpcheck.signature.digests import digests
from fpcheck.signature.measure import measure
from fpcheck.source import Source
from fpcheck.verdict import Facts, Outcome, Verdict, judge

Progress = Callable[[str, int, int], None]  # what is being done, bytes done, bytes in all


@dataclass(frozen=True)
class Check:
    """One finished check: everything that a report may say.

    `folders` are the library folders that were named beside the policy's own.
    """

    signature: Signature
    card_bases: tuple[str, ...]
    matches: tuple[Match, ...] | None
    verdict: Verdict
    policy: Policy
    library: Library
    folders: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 pass or warn, 1 the policy objects, 3 it demanded what could not be measured."""
        if any(f.outcome is Outcome.FAIL and not f.unchecked for f in self.verdict.findings):
            return EXIT_OBJECTION
        return EXIT_UNCHECKED if self.verdict.unchecked else EXIT_OK


def fingerprint(
    source: Source, *, digest: bool = True, progress: Progress | None = None
) -> tuple[Signature, Checkpoint]:
    """Read a checkpoint and take its signature. With `digest`, hash its files too.

    Raises CheckError when it cannot be read, UsageError when there is nothing to read.
    """
    checkpoint = read_checkpoint(source)
    attention = find_attention(checkpoint)
    towers = measure(checkpoint, attention, progress=_named(progress, "measuring"))
    files = checkpoint.files
    if digest:
        files = digests(source, files, progress=_named(progress, "hashing"))
    signature = Signature(
        recipe=RECIPE,
        origin=source.origin,
        model_type=checkpoint.model_type,
        files=files,
        towers=towers,
        unmeasured=attention.unmeasured,
        notes=attention.notes,
    )
    return signature, checkpoint


def check(
    source: Source,
    library: Library,
    policy: Policy,
    *,
    folders: tuple[str, ...] = (),
    progress: Progress | None = None,
) -> Check:
    """The whole check of one checkpoint against a library under a policy."""
    index = ProfileIndex(library)
    signature, checkpoint = fingerprint(source, progress=progress)
    facts = Facts(
        matches=_matches(signature, index),
        unmeasured=(*signature.unmeasured, *filter(None, map(incomparable, signature.towers))),
        declared=frozenset(policy.declared) | frozenset(checkpoint.declared_bases),
        library=library,
    )
    verdict = judge(policy, facts)
    bases = checkpoint.declared_bases
    return Check(signature, bases, facts.matches, verdict, policy, library, folders)


def _matches(signature: Signature, index: ProfileIndex) -> tuple[Match, ...] | None:
    """The matches; None when no tower has a curve and nothing is identical either."""
    found = match(signature, index)
    comparable = any(not incomparable(t) for t in signature.towers if not t.cross)
    return found if comparable or any(m.identical for m in found) else None


def _named(progress: Progress | None, what: str) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    return lambda done, total: progress(what, done, total)
