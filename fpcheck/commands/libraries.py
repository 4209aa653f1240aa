"""`fpcheck library`: references listed, shown, verified and added."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from fpcheck import __version__, reference, references
from fpcheck.commands.console import note, show
from fpcheck.commands.inputs import measured, read_library
from fpcheck.comparison.identity import main_tower
from fpcheck.errors import EXIT_OK, UsageError
from fpcheck.files import workspace_owner
from fpcheck.reference import How, Obtained, Reference
from fpcheck.references import similar_ids
from fpcheck.report.view import how_obtained
from fpcheck.signature import Signature, arrays_file
from fpcheck.text import log_line

PERHAPS = 0.6  # likeness of two ids that is worth a "did you mean"


def library_list(arguments: Namespace) -> int:
    """One line a reference."""
    show("".join(map(_line, read_library(arguments.library).references)))
    return EXIT_OK


def library_show(arguments: Namespace) -> int:
    """The reference of an id as JSON; a list where one has its weights and its figures."""
    library = read_library(arguments.library)
    found = [reference.dump(item) for item in library.references if item.id == arguments.id]
    if not found:
        hint = _did_you_mean(arguments.id, (item.id for item in library.references))
        raise UsageError(
            f"{arguments.id}: not in the library", hint=hint or "see `fpcheck library list`"
        )
    several = ",\n".join(text.rstrip("\n") for text in found)
    show(found[0] if len(found) == 1 else f"[\n{several}\n]\n")
    return EXIT_OK


def library_verify(arguments: Namespace) -> int:
    """Every file is as the manifest says, and well-formed."""
    library = read_library(arguments.library)
    show(f"{len(library.references)} references as the manifest says; {library.digest}\n")
    return EXIT_OK


def library_add(arguments: Namespace) -> int:
    """Measure a checkpoint and write it into a library's folder."""
    for name in (arguments.id, *arguments.parent):
        _refuse_no_id(name)
    folder = Path(arguments.to)
    known = references.listed_ids(references.builtin_folder()) | references.listed_ids(folder)
    item = _reference(arguments, measured(arguments.checkpoint))
    for parent in sorted(set(item.parents) - known):
        hint = _did_you_mean(parent, known)
        note(f"--parent {parent}: not in the library{f'; {hint}' if hint else ''}")
    owner = workspace_owner(os.environ)
    path = references.add_reference(folder, item, replace=arguments.replace, owner=owner)
    show(f"{log_line(path)}\n")
    return EXIT_OK


def _reference(arguments: Namespace, signature: Signature) -> Reference:
    identity = arguments.id or signature.origin.name
    _refuse_no_id(identity)
    if arguments.id:  # a path says where the file was on somebody's machine, not what it is
        signature = replace(signature, origin=replace(signature.origin, name=identity))
    towers = arrays_file.for_reference(signature.towers, main_tower(signature))
    signature = replace(signature, towers=towers)
    obtained = Obtained(How.COMPUTED, f"fpcheck {__version__}", note=arguments.note)
    parents = tuple(sorted(set(arguments.parent)))
    return Reference(identity, arguments.licence, parents, obtained, signature)


def _refuse_no_id(name: str | None) -> None:
    if name is not None and not reference.ID.fullmatch(name):
        raise UsageError(f"{name}: expected owner/name", hint="name it with --id owner/name")


def _line(item: Reference) -> str:
    towers = ", ".join(str(len(tower.layers)) for tower in item.signature.towers)
    parents = f"  from {', '.join(item.parents)}" if item.parents else ""
    return f"{item.id:<64} {how_obtained(item):<20} {towers:>4} layers{parents}\n"


def _did_you_mean(identity: str, known: Iterable[str]) -> str:
    near = similar_ids(identity, known, likeness=PERHAPS)
    return f"did you mean {' or '.join(near)}?" if near else ""
