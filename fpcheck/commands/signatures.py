"""`fpcheck fingerprint` and `fpcheck compare`: signatures written, and two of them compared."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path

from fpcheck.commands.console import show
from fpcheck.commands.inputs import measured, read_signature
from fpcheck.comparison import Match, ProfileIndex, match
from fpcheck.comparison.profile import incomparable
from fpcheck.errors import EXIT_OK, CheckError, UsageError
from fpcheck.files import workspace_owner, write_files
from fpcheck.reference import ARRAYS, How, Obtained, Reference
from fpcheck.references import Library, builtin_calibration
from fpcheck.report import document, terminal
from fpcheck.signature import Signature, arrays_file
from fpcheck.signature.file import dump


def fingerprint(arguments: Namespace) -> int:
    """A signature as JSON, in a file or on standard output."""
    path = Path(arguments.output) if arguments.output else None
    if path and path.name in {"", ".."}:
        raise UsageError(f"{path}: a folder, not a file", hint="name a file with --output")
    digest = not arguments.no_digest
    signature = measured(arguments.checkpoint, base=arguments.base, digest=digest)
    if path:
        write_files(path.parent, _files(path.name, signature), owner=workspace_owner(os.environ))
    else:
        show(dump(signature))
    return EXIT_OK


def _files(name: str, signature: Signature) -> dict[str, str | bytes]:
    """A signature's file, and that of its arrays beside it."""
    arrays = arrays_file.dump(signature.towers)
    if arrays is None:
        return {name: dump(signature)}
    beside = name.removesuffix(".json") + ARRAYS
    return {name: dump(signature, arrays), beside: arrays}


def compare(arguments: Namespace) -> int:
    """How two checkpoints or signatures agree. Raises CheckError when nothing is comparable."""
    one, other = read_signature(arguments.one), read_signature(arguments.other)
    found = _match(one, other)
    if found is None or not (found.profile or found.identical or found.weights):
        raise CheckError(
            f"{one.origin} and {other.origin} cannot be compared: {_reasons(one, other)}"
        )
    form = document.comparison if arguments.format == "json" else terminal.comparison
    show(form(one, other, found))
    return EXIT_OK


def _match(one: Signature, other: Signature) -> Match | None:
    stand_in = Reference("the/other", None, (), Obtained(How.COMPUTED, "compare"), other)
    return next(
        iter(match(one, ProfileIndex(Library((stand_in,), "", builtin_calibration())))), None
    )


def _reasons(*signatures: Signature) -> str:
    towers = (tower for signature in signatures for tower in signature.towers)
    known = dict.fromkeys(filter(None, map(incomparable, towers)))
    return "; ".join(known) or "their towers have no role with a profile in common"
