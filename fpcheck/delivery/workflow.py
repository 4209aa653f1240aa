"""What the runner reads: the log, annotations, the step's outputs and its summary.

The runner obeys `::command::` at the start of a line and `##[command]` anywhere in one, on both
streams, and text from a checkpoint ends up in all of these places: here it is shown, not obeyed.
"""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fpcheck.delivery.budget import RESERVE, fit, utf8_size
from fpcheck.errors import CheckError
from fpcheck.text import inert, visible

# Every output of the action, as in action.yml: all are always set, "" when there is nothing to say.
OUTPUTS = (
    "verdict",
    "exit-code",
    "level",
    "score",
    "top-match",
    "matches",
    "report-path",
    "json-path",
    "comment-url",
)
LEVELS = ("error", "warning", "notice")
MAX_ANNOTATIONS = 10  # of each level; the runner drops the rest without a word
MAX_MESSAGE = 4_096  # characters of one annotation, the runner's own limit
MAX_SUMMARY = 900 * 1024  # bytes; above 1 MiB the runner discards the whole summary


@dataclass(frozen=True)
class Annotation:
    """One line that GitHub shows on the run's page, and beside a file when it names one."""

    level: str
    message: str
    title: str = ""
    file: str = ""
    line: int = 0


def log_text(text: str) -> str:
    """Text for the log, in the same lines, none of which the runner or a terminal obeys."""
    return "\n".join(inert(visible(line)) for line in text.split("\n"))


def annotation_lines(annotations: Iterable[Annotation]) -> Iterator[str]:
    """One log line for each annotation, worst first; those over the runner's limit are counted."""
    ordered = sorted(annotations, key=lambda a: LEVELS.index(a.level))
    totals = Counter(a.level for a in ordered)
    shown: Counter[str] = Counter()
    for annotation in ordered:
        level = annotation.level
        shown[level] += 1
        if shown[level] < MAX_ANNOTATIONS or totals[level] == MAX_ANNOTATIONS:
            yield _command(annotation)
        elif shown[level] == MAX_ANNOTATIONS:
            rest = totals[level] - MAX_ANNOTATIONS + 1
            yield _command(Annotation(level, f"and {rest} more: see the report"))


def write_outputs(path: Path, values: Mapping[str, str]) -> None:
    """Append outputs to the runner's file. Raises CheckError, OSError."""
    unknown = sorted(set(values) - set(OUTPUTS))
    if unknown:
        raise CheckError(f"no such output: {unknown[0]}")
    _append(path, "".join(_heredoc(name, visible(value)) for name, value in values.items()))


def write_summary(path: Path, markdown: str) -> None:
    """Append Markdown to the step's summary, cut to the runner's budget. Raises OSError."""
    taken = path.stat().st_size if path.exists() else 0
    room = MAX_SUMMARY - taken - 1
    if room >= RESERVE:
        _append(path, fit(markdown, room, utf8_size).rstrip("\n") + "\n")


def _command(annotation: Annotation) -> str:
    """One workflow command, `::level name=value,…::message`."""
    place = {"title": annotation.title, "file": annotation.file, "line": annotation.line or ""}
    given = [f"{name}={_property(str(value))}" for name, value in place.items() if value]
    message = _data(log_text(annotation.message[:MAX_MESSAGE])[:MAX_MESSAGE])
    return f"::{annotation.level} {','.join(given)}".rstrip() + f"::{message}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(visible(text)).replace(":", "%3A").replace(",", "%2C")


def _heredoc(name: str, value: str) -> str:
    delimiter = f"fpcheck_{secrets.token_hex(16)}"
    if delimiter in value:  # whoever knows the delimiter could end the value and add outputs
        raise CheckError(f"output {name}: the value holds its own delimiter")
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"


def _append(path: Path, text: str) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o644), "wb") as file:
        file.write(text.encode("utf-8", "replace"))
