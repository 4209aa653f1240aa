"""A verdict and what it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What the policy makes of a checkpoint, mildest first."""

    PASS = "pass"  # noqa: S105 — an outcome, not a password
    WARN = "warn"
    FAIL = "fail"

    @property
    def gravity(self) -> int:
        """0 for the mildest, higher for graver ones."""
        return list(Outcome).index(self)


@dataclass(frozen=True)
class Finding:
    """One rule's objection to one checkpoint.

    `reference` is the id it is about, "" when it is about the checkpoint itself. `message` is in
    our own words, `detail` is untrusted text that belongs to it. With `unchecked` the check could
    not be done as the policy demands; `weakened` is a warning where the policy says fail, because
    the evidence carries no further.
    """

    rule: str
    outcome: Outcome
    reference: str
    message: str
    detail: str = ""
    unchecked: bool = False
    weakened: bool = False


@dataclass(frozen=True)
class Verdict:
    """All findings, and what explains away the matches that raised none."""

    findings: tuple[Finding, ...]
    notes: tuple[Finding, ...]

    @property
    def outcome(self) -> Outcome:
        """The gravest outcome of any finding."""
        found = (finding.outcome for finding in self.findings)
        return max(found, key=lambda outcome: outcome.gravity, default=Outcome.PASS)

    @property
    def unchecked(self) -> bool:
        """Whether the policy demanded a measurement that could not be made."""
        return any(finding.unchecked for finding in self.findings)
