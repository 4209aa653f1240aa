"""Byte ranges of a checkpoint's named files, wherever the files are.

The one abstraction over places: a local folder or file (`fpcheck.source.local`) and the Hugging
Face Hub (`fpcheck.source.hub`). Nothing here knows what the bytes mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from fpcheck.errors import FormatError, SourceError, UsageError


@dataclass(frozen=True)
class Origin:
    """Pinned identity of what is read: a path as the user gave it, or owner/name at a commit."""

    name: str
    commit: str | None = None

    def __str__(self) -> str:
        return f"{self.name}@{self.commit}" if self.commit else self.name


@dataclass(frozen=True)
class SourceFile:
    """One file of a checkpoint.

    `name` is a POSIX path below the checkpoint's folder, `size` is in bytes, and `digest` is what
    the source itself declares without the bytes being read ("sha256:<hex>", "git-blob:<hex>").
    """

    name: str
    size: int
    digest: str | None = None


class Source(Protocol):
    """Where a checkpoint's bytes come from. Safe to read from several threads at once."""

    @property
    def origin(self) -> Origin: ...

    @property
    def read_size(self) -> int:
        """Bytes one `read_into` should ask for: small for a disk, large for a network."""
        ...

    @property
    def workers(self) -> int:
        """How many `read_into` calls are worth having under way at once."""
        ...

    def files(self) -> Mapping[str, SourceFile]:
        """Every file of the checkpoint by name, sorted by name."""
        ...

    def read_into(self, file: str, start: int, view: memoryview) -> None:
        """Fill `view` (writable, one byte an item) with the file's bytes from `start`.

        Raises SourceError when the bytes cannot be had, all of them.
        """
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None: ...


def read(source: Source, file: str, start: int, stop: int) -> bytearray:
    """The bytes `start:stop` of one file. Raises SourceError."""
    content = bytearray(stop - start)
    source.read_into(file, start, memoryview(content))
    return content


def read_small(source: Source, file: str, limit: int) -> bytearray:
    """A whole small file. Raises FormatError when it is larger than `limit` bytes."""
    size = source.files()[file].size
    if size > limit:
        raise FormatError(
            f"{file}: {size:,} bytes, more than the {limit:,} that fpcheck reads of such a file",
            hint="check that the file is what its name says",
        )
    return read(source, file, 0, size)


def open_source(
    checkpoint: str, *, token: str | None = None, endpoint: str | None = None
) -> Source:
    """The source that a user's word for a checkpoint means: an existing path, else a Hub id.

    Raises UsageError when it is neither, SourceError when the Hub cannot answer.
    """
    from fpcheck.source.local import LocalSource

    if _exists(checkpoint):
        return LocalSource(checkpoint)
    from fpcheck.source.hub import HubSource, parse_hub_id

    try:
        return HubSource(parse_hub_id(checkpoint), token=token, endpoint=endpoint)
    except SourceError as error:
        raise _neither(checkpoint, error) from error


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError) as error:  # too long, a NUL, a folder that is closed
        reason = error.strerror if isinstance(error, OSError) else "no file can have this name"
        raise UsageError(
            f"{path[:200]!r}: not a path that can be looked up: {reason}",
            hint="name a folder, a .safetensors or .gguf file, or owner/name on the Hub",
        ) from error


def _neither(checkpoint: str, error: SourceError) -> SourceError:
    """The Hub's refusal, for a user who may have meant a path and misspelt it."""
    reason = str(error).removeprefix(f"{checkpoint}: ")
    return SourceError(
        f"{checkpoint}: there is no such file or folder, so it was read as a Hub id: {reason}",
        hint="check the path; for a model on the Hub: " + (error.hint or "check the endpoint"),
    )
