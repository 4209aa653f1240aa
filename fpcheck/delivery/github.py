"""A check's result in GitHub Actions: outputs, summary, comment and annotations."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from fpcheck.delivery.github_comment import CommentResult, post_comment
from fpcheck.delivery.github_event import GitHub
from fpcheck.delivery.workflow import (
    OUTPUTS,
    Annotation,
    annotation_lines,
    write_outputs,
    write_summary,
)
from fpcheck.errors import CheckError


@dataclass(frozen=True)
class Delivery:
    """What a run hands over. `comment` is None when none is wanted; `key` tells comments apart."""

    outputs: Mapping[str, str]
    summary: str = ""
    comment: str | None = None
    annotations: tuple[Annotation, ...] = ()
    key: str = ""


def deliver(
    delivery: Delivery,
    github: GitHub,
    *,
    emit: Callable[[str], None] = print,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[str, ...]:
    """Put everything in its place. Returns what could not be done; raises nothing for it.

    Files come first: a run that is stopped while GitHub keeps it waiting has told its result.
    """
    outputs = dict.fromkeys(OUTPUTS, "") | dict(delivery.outputs)
    troubles = list(_write_files(github, outputs, delivery.summary))
    if delivery.comment is not None:
        result = post_comment(github, delivery.comment, key=delivery.key, sleep=sleep, clock=clock)
        troubles += _tell(result, github)
    for line in annotation_lines([*troubles, *delivery.annotations]):
        emit(line)
    return tuple(trouble.message for trouble in troubles)


def _tell(result: CommentResult, github: GitHub) -> Iterator[Annotation]:
    """Say where the comment is, or why there is none; without a pull request, say nothing."""
    if result.url:
        yield from _write_files(github, {"comment-url": result.url})
    if result.notice:
        yield Annotation(result.level, result.notice)


def _write_files(
    github: GitHub, outputs: Mapping[str, str], summary: str = ""
) -> Iterator[Annotation]:
    try:
        if github.output_file:
            write_outputs(github.output_file, outputs)
        if github.summary_file and summary:
            write_summary(github.summary_file, summary)
    except (OSError, CheckError) as error:
        yield Annotation("warning", f"the step's outputs and summary are incomplete: {error}")
