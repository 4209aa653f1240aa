"""Git LFS pointers: what a checkout without LFS holds in place of a large file."""

from __future__ import annotations

from fpcheck.errors import FormatError
from fpcheck.source import Source, read

BEGINNING = b"version https://git-lfs.github.com/spec/"
MAX_BYTES = 1_024  # by its specification


def refuse_pointer(source: Source, file: str) -> None:
    """Raise FormatError when a file is a pointer to its content."""
    size = source.files()[file].size
    if len(BEGINNING) <= size <= MAX_BYTES and read(source, file, 0, len(BEGINNING)) == BEGINNING:
        content = "the weights" if file.endswith(".safetensors") else "the file itself"
        raise FormatError(
            f"{file}: a Git LFS pointer, not {content}",
            hint="run `git lfs pull`, or set `lfs: true` on actions/checkout",
        )
