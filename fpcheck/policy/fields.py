"""The one table of a policy's fields: the loader, the schema and the layers all read it."""

from __future__ import annotations

from typing import Any

from fpcheck.comparison.levels import Level
from fpcheck.policy import ProfileThreshold, Unmeasured
from fpcheck.policy.kinds import Field, Kind, Null, Tighter


def _rules(severity: str, what: str, *, level: Level) -> tuple[Field, ...]:
    """The rows of one severity's rules."""
    block = f"thresholds.{severity}"
    return (
        Field(
            block,
            Kind.BLOCK,
            f"What {what}. A key that is absent keeps its default.",
            f"leave {severity} out to keep its defaults, or write `level: null` under it to switch"
            " it off",
        ),
        Field(
            f"{block}.level",
            Kind.CHOICE,
            "Object to every undeclared reference whose evidence reaches this level.",
            "write e.g. level: derived, or level: null to switch the rule off",
            default=level,
            null=Null.OFF,
            tighter=Tighter.EARLIER,
            choices=tuple(map(str, Level))[1:],  # every release reaches `none`
        ),
        Field(
            f"{block}.profile",
            Kind.BLOCK,
            "Object to every undeclared reference whose profile is at least this similar, whatever"
            " its level.",
            "write e.g. profile: {raw: 0.95, detrended: 0.80}, or profile: null to switch the rule"
            " off",
            null=Null.OFF,
        ),
        Field(
            f"{block}.profile.raw",
            Kind.NUMBER,
            "Pearson correlation of the two profiles, at least.",
            "write e.g. raw: 0.95",
            required=True,
            tighter=Tighter.LOWER,
            minimum=-1,
            maximum=1,
        ),
        Field(
            f"{block}.profile.detrended",
            Kind.NUMBER,
            "And the same with the trend in depth removed, at least; absent, it is not asked.",
            "write e.g. detrended: 0.80",
            null=Null.UNASKED,
            tighter=Tighter.LOWER,
            minimum=-1,
            maximum=1,
        ),
        Field(
            f"{block}.profile.layers",
            Kind.INTEGER,
            "On at least this many layers; on fewer, a correlation says little.",
            "write e.g. layers: 8",
            default=ProfileThreshold.layers,
            tighter=Tighter.LOWER,
            minimum=2,
        ),
        Field(
            f"{block}.false_positive_rate",
            Kind.NUMBER,
            "Object to every undeclared reference of whose weights this checkpoint's show descent"
            " at a false-positive rate of at most this, corrected for all that was compared. A"
            " profile has no such rate.",
            "write e.g. false_positive_rate: 1e-6, or false_positive_rate: null to switch the rule"
            " off",
            null=Null.OFF,
            tighter=Tighter.HIGHER,
            above=0,
            maximum=1,
        ),
    )


FIELDS = (
    Field(
        "",
        Kind.BLOCK,
        "What a release may descend from or resemble, and what fails its build.",
        "begin the file with version: 1",
    ),
    Field(
        "version",
        Kind.CHOICE,
        "The version of this format.",
        "write version: 1; a newer one needs a newer fpcheck",
        default=1,
        required=True,
        choices=(1,),
    ),
    Field(
        "checkpoint",
        Kind.TEXT,
        "The checkpoint when the command line names none: a path from the working directory, or"
        " an id of the Hub.",
        "write e.g. checkpoint: models/release, in quotes if it reads as a number",
        null=Null.UNSAID,
    ),
    Field(
        "library",
        Kind.TEXTS,
        "Folders whose references are added to the built-in library.",
        "write e.g. library: [more-references]",
        default=(),
        tighter=Tighter.MORE,
    ),
    Field(
        "declared",
        Kind.IDS,
        "Bases that the release openly descends from, and its own id.",
        "write e.g. declared: [nreimers/MiniLM-L6-H384-uncased]",
        default=(),
        tighter=Tighter.FEWER,
    ),
    Field(
        "thresholds",
        Kind.BLOCK,
        "From where on evidence fails the build or warns.",
        "leave thresholds out to keep the defaults, or write fail or warn under it",
    ),
    *_rules("fail", "fails the build", level=Level.TRANSFORMED),
    *_rules("warn", "is reported as a warning", level=Level.RESEMBLES),
    Field(
        "unmeasured",
        Kind.CHOICE,
        "What follows when nothing could be measured.",
        "write unmeasured: fail, warn or ignore",
        default=Unmeasured.FAIL,
        tighter=Tighter.EARLIER,
        choices=tuple(map(str, Unmeasured)),
    ),
)
ROOT = FIELDS[0]


def children(block: Field) -> tuple[Field, ...]:
    """The keys of a block."""
    return tuple(f for f in FIELDS if f is not ROOT and f.parent == block.path)


def absent(field: Field) -> Any:
    """What holds where the file does not give `field`, as plain data."""
    if field.kind is Kind.BLOCK and not field.null:
        return {child.key: absent(child) for child in children(field)}
    return field.default
