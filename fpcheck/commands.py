"""What each command does: the effects around the pipeline, in order."""

from __future__ import annotations

import difflib
import os
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from fpcheck import __version__, reference, references
from fpcheck.check import Check, Progress
from fpcheck.check import check as run_check
from fpcheck.check import fingerprint as take_signature
from fpcheck.comparison import ProfileIndex, match
from fpcheck.delivery import action
from fpcheck.delivery.files import workspace_owner, write_files
from fpcheck.delivery.github import deliver
from fpcheck.delivery.github_event import GitHub
from fpcheck.delivery.workflow import log_text
from fpcheck.errors import EXIT_OK, CheckError, FpcheckError, UsageError
from fpcheck.fields import parse_document
from fpcheck.policy import Policy
from fpcheck.policy.load import default_policy, find_policy, load_policy
from fpcheck.progress import ProgressLine
from fpcheck.reference import How, Obtained, Reference
from fpcheck.references import Library
from fpcheck.report import FORMATS, document, markdown, svg, terminal
from fpcheck.report.sinks import plain
from fpcheck.report.view import how_obtained
from fpcheck.signature import Signature
from fpcheck.signature.file import MAX_BYTES
from fpcheck.signature.file import dump as dump_signature
from fpcheck.signature.file import load as load_signature
from fpcheck.source import open_source

SVG = "profile.svg"


def check(arguments: Namespace) -> int:
    """`fpcheck check`: the exit code is fixed before anything is delivered."""
    github = _github(arguments.deliver)
    try:
        finished = _checked(arguments)
    except (FpcheckError, KeyboardInterrupt) as error:
        if github:
            deliver(action.failure(error), github)
        raise
    written = _write_reports(finished, arguments.output)  # from here on only warnings
    print(_neutral(FORMATS[arguments.format](finished), arguments.format), end="")
    if github:
        deliver(action.success(finished, written, comment=not arguments.no_comment), github)
    return finished.exit_code


def fingerprint(arguments: Namespace) -> int:
    """`fpcheck fingerprint`: a signature as JSON."""
    with _progress() as progress, open_source(arguments.checkpoint) as source:
        signature = take_signature(
            source, digest=not arguments.no_digest, progress=progress
        ).signature
    _require_measured(signature)
    text = dump_signature(signature)
    if arguments.output:
        path = Path(arguments.output)
        write_files(path.parent, {path.name: text})
    else:
        sys.stdout.write(text)
    return EXIT_OK


def compare(arguments: Namespace) -> int:
    """`fpcheck compare`: how two checkpoints or signatures agree."""
    one, other = _signature(arguments.one), _signature(arguments.other)
    for signature in (one, other):
        _require_measured(signature)
    stand_in = Reference("the/other", None, (), Obtained(How.COMPUTED, "compare"), other)
    found = match(one, ProfileIndex(Library((stand_in,), "")))
    form = document.comparison if arguments.format == "json" else terminal.comparison
    print(form(one, other, found[0] if found else None), end="")
    return EXIT_OK


def library_list(arguments: Namespace) -> int:
    """`fpcheck library list`: one line a reference."""
    for item in _library(arguments.library).references:
        towers = ", ".join(str(len(tower.layers)) for tower in item.signature.towers)
        parents = f"  from {', '.join(item.parents)}" if item.parents else ""
        print(f"{item.id:<64} {how_obtained(item):<20} {towers:>4} layers{parents}")
    return EXIT_OK


def library_show(arguments: Namespace) -> int:
    """`fpcheck library show`: every reference of an id, as JSON."""
    library = _library(arguments.library)
    found = [item for item in library.references if item.id == arguments.id]
    if not found:
        close = difflib.get_close_matches(arguments.id, [r.id for r in library.references], n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else "see `fpcheck library list`"
        raise UsageError(f"{arguments.id}: not in the library", hint=hint)
    print("".join(map(reference.dump, found)), end="")
    return EXIT_OK


def library_verify(arguments: Namespace) -> int:
    """`fpcheck library verify`: every file is as the manifest says, and well-formed."""
    library = _library(arguments.library)
    print(f"{len(library.references)} references as the manifest says; {library.digest}")
    return EXIT_OK


def library_add(arguments: Namespace) -> int:
    """`fpcheck library add`: measure a checkpoint and write it into a library's folder."""
    with _progress() as progress, open_source(arguments.checkpoint) as source:
        signature = take_signature(source, progress=progress).signature
    _require_measured(signature)
    identity = arguments.id or signature.origin.name
    for name in (identity, *arguments.parent):
        if not reference.ID.fullmatch(name):
            raise UsageError(f"{name}: expected owner/name", hint="name it with --id owner/name")
    if arguments.id:  # a path says where the file was on somebody's machine, not what it is
        origin = replace(signature.origin, name=identity)
        signature = replace(signature, origin=origin)
    obtained = Obtained(How.COMPUTED, f"fpcheck {__version__}", note=arguments.note)
    parents = tuple(sorted(set(arguments.parent)))
    item = Reference(identity, arguments.licence, parents, obtained, signature)
    print(references.add_reference(Path(arguments.to), item))
    return EXIT_OK


def _checked(arguments: Namespace) -> Check:
    policy = _policy(arguments.config)
    checkpoint = arguments.checkpoint or policy.checkpoint
    if not checkpoint:
        raise UsageError(
            "no checkpoint is named", hint="name one, or set `checkpoint:` in the policy"
        )
    folders = tuple(arguments.library)
    library = _library([*policy.library, *folders])
    with _progress() as progress, open_source(checkpoint) as source:
        return run_check(source, library, policy, folders=folders, progress=progress)


def _policy(config: str | None) -> Policy:
    """The policy named, else the one found in the working directory, else the defaults."""
    if config:
        return load_policy(config)
    found = find_policy(Path())
    return load_policy(str(found)) if found else default_policy()


def _library(folders: Iterable[str]) -> Library:
    return references.load_library([references.builtin_folder(), *folders])


def _signature(word: str) -> Signature:
    """The signature that a word means: a signature's or reference's file, else a checkpoint."""
    path = Path(word)
    if path.suffix == ".json" and path.is_file():
        content = _content(path)
        if parse_document(content, word).text("format") == reference.FORMAT:
            return reference.load(content, word).signature
        return load_signature(content, word)
    with _progress() as progress, open_source(word) as source:
        return take_signature(source, progress=progress).signature


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)  # one too many, so that the reader refuses it
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error


def _require_measured(signature: Signature) -> None:
    if not signature.towers:
        raise CheckError(
            f"{signature.origin}: nothing could be measured: {'; '.join(signature.unmeasured)}"
        )


def _write_reports(finished: Check, folder: str | None) -> tuple[Path, ...]:
    if folder is None:
        return ()
    files = {"report.md": markdown.render(finished, SVG), "report.json": document.render(finished)}
    drawing = svg.render(finished)
    if drawing:
        files[SVG] = drawing
    try:
        return write_files(Path(folder), files, owner=workspace_owner(os.environ))
    except FpcheckError as error:  # the verdict stands: delivery never changes it
        print(f"fpcheck: warning: {plain(error)}", file=sys.stderr)
        return ()


def _neutral(text: str, form: str) -> str:
    """JSON must stay JSON; everything else passes the log's sink once more, line by line."""
    return text if form == "json" else log_text(text)


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


@contextmanager
def _progress() -> Iterator[Progress]:
    line = ProgressLine()
    try:
        yield line
    finally:
        line.close()
