"""What a command says: its result on standard output, all else on standard error."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from fpcheck.check import Progress
from fpcheck.errors import CheckError, failure
from fpcheck.progress import ProgressLine
from fpcheck.text import log_line


def show(text: str) -> None:
    """Print a result. Raises CheckError when it cannot be, BrokenPipeError when nobody reads it."""
    try:
        print(text, end="", flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CheckError(f"cannot write to standard output: {error.strerror}") from error


def note(text: str) -> None:
    """Tell what a user may want to know, and what changes nothing."""
    _say("note", text)


@contextmanager
def only_warned(undone: str, *, verbose: bool) -> Iterator[None]:
    """Whatever goes wrong within becomes a warning of what was not done: the verdict stands."""
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        if verbose:
            with suppress(OSError):
                traceback.print_exc()
        _say("warning", f"{undone}: {failure(error)}")


@contextmanager
def progress() -> Iterator[Progress]:
    """A line that says how far a long step is, and that is gone afterwards."""
    line = ProgressLine()
    try:
        yield line
    finally:
        line.close()


def _say(kind: str, text: str) -> None:
    with suppress(OSError):  # a log that cannot be written must not change what a command does
        print(f"fpcheck: {kind}: {log_line(text)}", file=sys.stderr)
