"""What can go wrong, and which exit code it means."""

from __future__ import annotations

EXIT_OK = 0
EXIT_OBJECTION = 1
EXIT_USAGE = 2
EXIT_UNCHECKED = 3


class FpcheckError(Exception):
    """An expected failure: no verdict was reached.

    The message names the file, the field and the value; `hint` says what to do about it.
    """

    exit_code = EXIT_UNCHECKED

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(FpcheckError):
    """The user's input is wrong: an option, a policy, a reference file, a missing path."""

    exit_code = EXIT_USAGE


class CheckError(FpcheckError):
    """The check could not be done, though the input may be right."""


class FormatError(CheckError):
    """A file of the checkpoint is malformed or hostile."""


class SourceError(CheckError):
    """Bytes of the checkpoint could not be had: network, permissions, a file that changed."""


class NonFiniteError(CheckError):
    """A weight is NaN or infinite, so no statistic of its tensor means anything."""


def failure(error: BaseException) -> FpcheckError:
    """Any exception as one that can be told: exit code 1 would mean that the policy objects."""
    if isinstance(error, FpcheckError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return CheckError("stopped before it was done")
    return CheckError(
        f"unexpected {type(error).__name__}: {error}",
        hint="this is a defect of fpcheck: please report it with the output of --verbose",
    )
