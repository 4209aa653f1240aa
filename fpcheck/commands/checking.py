"""`fpcheck check`: a verdict, then its report to wherever it is wanted."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from functools import partial
from pathlib import Path

from fpcheck.check import Check
from fpcheck.check import check as run_check
from fpcheck.commands.console import note, only_warned, progress, show
from fpcheck.commands.inputs import open_base, open_checkpoint, read_library, read_policy
from fpcheck.delivery import action, no_verdict
from fpcheck.delivery.github import deliver
from fpcheck.delivery.github_event import GitHub
from fpcheck.delivery.workflow import log_text
from fpcheck.errors import FpcheckError, UsageError, failure
from fpcheck.files import remove_file, workspace_owner, write_files
from fpcheck.policy import Policy
from fpcheck.references import Library, similar_ids
from fpcheck.report import FORMATS, document, markdown, svg, terminal

MARKDOWN, JSON, SVG = "report.md", "report.json", "profile.svg"
OUR_SVG = svg.drawing((), "", "").partition(" height=")[0].encode()  # how every one begins
TYPING_ERROR = 0.9  # likeness of two ids; strangers' models of one name and size come to 0.8


def check(arguments: Namespace) -> int:
    """The exit code is fixed before anything is written, printed or delivered."""
    github = None
    try:
        github = _github(arguments.deliver)
        finished = _checked(arguments)
    except (Exception, KeyboardInterrupt) as error:
        _tell_failure(failure(error), arguments, github)
        raise
    _tell(finished, arguments, github)
    return finished.exit_code


def _checked(arguments: Namespace) -> Check:
    policy = read_policy(arguments.config)
    checkpoint = arguments.checkpoint or policy.checkpoint
    if not checkpoint:
        raise UsageError(
            "no checkpoint is named", hint="name one, or set `checkpoint:` in the policy"
        )
    folders = tuple(arguments.library)
    library = read_library([*policy.library, *folders])
    _note_misspelt(policy, library)
    with (
        progress() as shown,
        open_checkpoint(checkpoint) as source,
        open_base(arguments.base) as base,
    ):
        return run_check(source, library, policy, folders=folders, base=base, progress=shown)


def _note_misspelt(policy: Policy, library: Library) -> None:
    """An id outside the library is nothing unusual; one that nearly is in it may be a mistake."""
    known = {i for item in library.references for i in (item.id, *item.parents)}
    for place, identity in enumerate(policy.declared):
        near = [] if identity in known else similar_ids(identity, known, likeness=TYPING_ERROR)
        if near:
            note(
                f"{policy.source}: declared[{place}]: no reference has the id {identity}; "
                f"did you mean {' or '.join(near)}?"
            )


def _tell(finished: Check, arguments: Namespace, github: GitHub | None) -> None:
    """Files first, then the log, then GitHub; none of them waits for another's success."""
    warned = partial(only_warned, verbose=arguments.verbose)
    written: tuple[Path, ...] = ()
    if arguments.output:
        with warned("no report was written"):
            written = _write_reports(finished, Path(arguments.output))
    with warned("the result was not printed"):
        show(_printed(finished, arguments.format))
    if github:
        report = ""
        with warned("no summary and no comment"):
            report = markdown.render(finished)
        with warned("the result was not delivered"):
            comment = not arguments.no_comment
            deliver(action.success(finished, report, written, comment=comment), github)


def _write_reports(finished: Check, folder: Path) -> tuple[Path, ...]:
    files = {MARKDOWN: markdown.render(finished, SVG), JSON: document.render(finished)}
    drawing = svg.render(finished)
    if drawing:
        files[SVG] = drawing
    written = write_files(folder, files, owner=workspace_owner(os.environ))
    if not drawing:
        remove_file(folder, SVG, beginning=OUR_SVG)
    return written


def _printed(finished: Check, form: str) -> str:
    """The result for standard output, where a terminal or a CI runner reads it.

    JSON is inert as it stands, and colours would not pass the log's sink; each untrusted word of a
    coloured summary has passed it already.
    """
    if form == "terminal" and terminal.is_colourful(sys.stdout, os.environ):
        return terminal.render(finished, colour=True)
    text = FORMATS[form](finished)
    return text if form == "json" else log_text(text)


def _tell_failure(error: FpcheckError, arguments: Namespace, github: GitHub | None) -> None:
    """No earlier run's report may stand where this one's would, nor its outputs be empty."""
    warned = partial(only_warned, verbose=arguments.verbose)
    if arguments.output:
        folder = Path(arguments.output)
        with warned("an older report may still be there"):
            files = {MARKDOWN: no_verdict.markdown(error), JSON: no_verdict.document(error)}
            write_files(folder, files, owner=workspace_owner(os.environ))
            remove_file(folder, SVG, beginning=OUR_SVG)
    if github:
        with warned("the failure was not delivered"):
            deliver(action.failure(error), github)


def _github(wanted: str | None) -> GitHub | None:
    if wanted is None:
        return None
    github = GitHub.from_environment(os.environ)
    os.environ.pop("GITHUB_TOKEN", None)  # read once: nothing that runs later may see it
    if github is None:
        raise UsageError(
            "--deliver github: this is not a step of GitHub Actions",
            hint="leave the option out, or run it in a workflow",
        )
    return github
