"""`fpcheck layouts`: how a checkpoint's tensors are understood, and its header for a test."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path

from fpcheck.checkpoint import read_checkpoint
from fpcheck.commands.console import note, show
from fpcheck.commands.inputs import open_checkpoint
from fpcheck.delivery.workflow import log_text
from fpcheck.errors import EXIT_OK, EXIT_UNCHECKED, UsageError
from fpcheck.explain import explain
from fpcheck.explain.recording import record, size_of
from fpcheck.files import workspace_owner, write_files
from fpcheck.report import explanation, explanation_document, recorded

TOO_LARGE = 20_000_000  # numbers that a test would have to make up; more take it minutes


def layouts_explain(arguments: Namespace) -> int:
    """How each tensor is understood; EXIT_UNCHECKED when no attention is found."""
    with open_checkpoint(arguments.checkpoint) as source:
        found = explain(read_checkpoint(source))
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
    with open_checkpoint(arguments.checkpoint) as source:
        header = record(
            read_checkpoint(source),
            layers=arguments.layers,
            tower=arguments.tower or "",
            layer=arguments.slices,
        )
    note(header["check"])
    if size_of(header) > TOO_LARGE:
        note(f"a test fills {size_of(header):,} numbers in: record a tiny model of the same code")
    if path:
        write_files(
            path.parent, {path.name: recorded.render(header)}, owner=workspace_owner(os.environ)
        )
    else:
        show(recorded.render(header))
    return EXIT_OK
