"""One file as the Hub lists it: a name that is safe to use, a size, a digest if one is given."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from fpcheck.errors import FormatError, SourceError
from fpcheck.source import SourceFile

COMMIT = re.compile(r"[0-9a-f]{40}")
SHA256 = re.compile(r"[0-9a-f]{64}")
MAX_SIZE = 1 << 63  # what a file system can hold, and more than a number of twenty digits
# Control, formatting (bidi among them), half characters, line and paragraph separators.
UNSHOWABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def source_file(what: str, entry: Any) -> SourceFile:
    """The file that an entry of the listing of `what` means, whatever the entry is.

    Raises SourceError for an entry that is none, FormatError for a hostile name.
    """
    if not isinstance(entry, dict):
        raise SourceError(f"{what}: the Hub lists what is no file", hint="check the endpoint")
    name, size = _safe_name(what, entry.get("rfilename")), entry.get("size")
    if type(size) is not int or not 0 <= size < MAX_SIZE:
        raise SourceError(f"{what}: {name}: the Hub names no size", hint="check the endpoint")
    return SourceFile(name, size, _digest(f"{what}: {name}", entry))


def _digest(what: str, entry: dict[str, Any]) -> str | None:
    """What the entry declares: git's id of the file, or for a large file, of which git has only a
    pointer, the digest of its content."""
    large, blob = entry.get("lfs"), entry.get("blobId")
    if not large:
        return f"git-blob:{blob}" if COMMIT.fullmatch(str(blob)) else None
    if not isinstance(large, dict) or "sha256" not in large:
        raise SourceError(f"{what}: the Hub names no digest", hint="check the endpoint")
    sha256 = large["sha256"]
    return f"sha256:{sha256}" if SHA256.fullmatch(str(sha256)) else None


def _safe_name(what: str, name: object) -> str:
    """A plain path below the repository, or FormatError: names go into URLs and file systems."""
    if (
        not isinstance(name, str)
        or "\\" in name
        or not {"", ".", ".."}.isdisjoint(name.split("/"))
        or any(unicodedata.category(character) in UNSHOWABLE for character in name)
    ):
        raise FormatError(
            f"{what}: lists {str(name)[:80]!r}, which is no plain file name",
            hint="rename the file in the repository",
        )
    return name
