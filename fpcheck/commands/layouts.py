"""`fpcheck layouts`: how a checkpoint's tensors are understood, and its header for a test."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path
from typing import Any

from fpcheck.adapters import merged
from fpcheck.checkpoint import read_checkpoint
from fpcheck.commands.console import note, show
from fpcheck.commands.inputs import open_base, open_checkpoint
from fpcheck.delivery.workflow import log_text
from fpcheck.encodings import decoded
from fpcheck.errors import EXIT_OK, EXIT_UNCHECKED, CheckError, UsageError
from fpcheck.explain import explain
from fpcheck.explain.recording import record, size_of
from fpcheck.files import workspace_owner, write_files
from fpcheck.report import explanation, explanation_document, recorded

TOO_LARGE = 20_000_000  # numbers that a test would have to make up; more take it minutes


def layouts_explain(arguments: Namespace) -> int:
    """How each tensor is understood; EXIT_UNCHECKED when no attention is found."""
    with open_checkpoint(arguments.checkpoint) as source, open_base(arguments.base) as base:
        found = explain(*(merged(source, base) if base else decoded(read_checkpoint(source))))
        origin = source.origin
    if arguments.format == "json":
        show(explanation_document.render(origin, found))
    else:
        show(log_text(explanation.render(origin, found, everything=arguments.all)))
    return EXIT_OK if found.towers else EXIT_UNCHECKED


def layouts_record(arguments: Namespace) -> int:
    """A header as JSON, in a file or on standard output."""
    path = Path(arguments.output) if arguments.output else None
    if path and path.name in {"", ".."}:
        raise UsageError(f"{path}: a folder, not a file", hint="name a file with --output")
    if arguments.layers < 1:
        raise UsageError(f"--layers {arguments.layers}: expected 1 or more")
    header = _header(arguments)
    if path:
        files = {path.name: recorded.render(header)}
        write_files(path.parent, files, owner=workspace_owner(os.environ))
    else:
        show(recorded.render(header))
    note(header["check"])
    if size_of(header) > TOO_LARGE:
        note(f"a test makes up all {size_of(header):,} numbers: record a tiny model instead")
    return EXIT_OK


def _header(arguments: Namespace) -> dict[str, Any]:
    with open_checkpoint(arguments.checkpoint) as source:
        checkpoint, undecoded = decoded(read_checkpoint(source))
    if undecoded:
        raise CheckError(undecoded[0], hint="record the unquantised checkpoint")
    tower, layer = arguments.tower or "", arguments.slices
    return record(checkpoint, layers=arguments.layers, tower=tower, layer=layer)
