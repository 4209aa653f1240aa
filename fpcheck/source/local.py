"""A checkpoint in a local folder, or one safetensors file."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from fpcheck.errors import FormatError, SourceError, UsageError
from fpcheck.source import Origin, SourceFile
from fpcheck.source.descriptors import Descriptors
from fpcheck.source.split import SUFFIX as GGUF
from fpcheck.source.split import parts

# Version control and Python's own bookkeeping are not part of what is released; nor is the Hub
# client's, which keeps it at one place only. Other hidden folders may hold weights.
IGNORED_FOLDERS = frozenset({".git", "__pycache__"})
HUB_BOOKKEEPING = Path(".cache", "huggingface")
# A checkpoint has tens to thousands of files; a folder with more is not a checkpoint.
MAX_FILES = 100_000
# What is read beside a file that is named by itself; nothing else in its folder is checked.
COMPANIONS = ("config.json", "README.md")
ADAPTER_COMPANIONS = ("adapter_config.json", "README.md")
WEIGHTS = ".safetensors"
INDEX = re.compile(r"(.+)\.safetensors\.index(\.[^.]+)?\.json")  # of shards in the same folder


class LocalSource:
    """Files below a folder, read with `pread`.

    Memory mapping is avoided on purpose: a file that shrinks while mapped kills the process with
    SIGBUS, and mapped pages count as the process's memory.
    """

    read_size = 1 << 21

    def __init__(self, path: str) -> None:
        """Raises UsageError when `path` is no folder, weight file or index of such."""
        self.origin = Origin(path)
        self._descriptors = Descriptors(self._open)
        given = Path(path)
        if given.is_dir():
            self._root = given
            self._files = _folder(given)
        elif given.is_file() and (given.suffix in {WEIGHTS, GGUF} or INDEX.fullmatch(given.name)):
            self._root = given.parent
            self._files = _named(given)
        else:
            raise UsageError(
                f"{path}: neither a folder nor a .safetensors or .gguf file",
                hint="name a folder, a .safetensors or .gguf file, or owner/name on the Hub",
            )

    @property
    def workers(self) -> int:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2

    def files(self) -> Mapping[str, SourceFile]:
        return self._files

    def read_into(self, file: str, start: int, view: memoryview) -> None:
        with self._descriptors.lent(file) as descriptor:
            while len(view):
                try:
                    count = os.preadv(descriptor, [view], start)
                except OSError as error:
                    raise SourceError(f"{file}: cannot be read: {error.strerror}") from error
                if not count:
                    raise SourceError(
                        f"{file}: ends before byte {start + len(view):,}",
                        hint="the file was cut or changed while it was read; check it again",
                    )
                view, start = view[count:], start + count

    def close(self) -> None:
        self._descriptors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self, file: str) -> int:
        """Open without blocking, and look at what was opened rather than at its name."""
        try:
            descriptor = os.open(self._root / file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise SourceError(f"{file}: cannot be opened: {error.strerror}") from error
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size != self._files[file].size:
            os.close(descriptor)
            raise SourceError(f"{file}: changed since the folder was listed", hint="check again")
        return descriptor


def _named(path: Path) -> dict[str, SourceFile]:
    """A file that is named by itself, its companions, and for an index what may be its shards."""
    adapter = path.name.startswith("adapter_model")
    beside = [path.with_name(name) for name in (ADAPTER_COMPANIONS if adapter else COMPANIONS)]
    index = INDEX.fullmatch(path.name)
    if index:
        single = index[1] + (index[2] or "") + WEIGHTS
        beside += [p for p in path.parent.iterdir() if p.suffix == WEIGHTS and p.name != single]
    beside += [path.with_name(name) for name in parts(path.name)]  # of a split GGUF
    found = [p for p in beside if p.is_file()]
    return {p.name: SourceFile(p.name, _size(p, path.parent)) for p in sorted(found)}


def _folder(root: Path) -> dict[str, SourceFile]:
    files: dict[str, SourceFile] = {}
    for folder, subfolders, names in os.walk(root, onerror=_refuse_unreadable):
        here = Path(folder)
        subfolders[:] = sorted(name for name in subfolders if _is_released(here / name, root))
        for name in subfolders:
            _refuse_unprintable(here / name)
            _refuse_link_out(here / name, root)
        for name in names:
            _refuse_unprintable(here / name)
            path = (here / name).relative_to(root).as_posix()
            files[path] = SourceFile(path, _size(here / name, root))
        if len(files) > MAX_FILES:
            raise UsageError(
                f"{root}: more than {MAX_FILES:,} files", hint="name the checkpoint's own folder"
            )
    return dict(sorted(files.items()))


def _is_released(folder: Path, root: Path) -> bool:
    return folder.name not in IGNORED_FOLDERS and folder != root / HUB_BOOKKEEPING


def _refuse_unreadable(error: OSError) -> None:
    """What cannot be listed may hold weights."""
    raise FormatError(
        f"{error.filename!r}: cannot be listed: {error.strerror}", hint="make the folder readable"
    ) from error


def _refuse_unprintable(path: Path) -> None:
    """Refuse a name that no signature could be written with."""
    try:
        path.name.encode()
    except UnicodeEncodeError as error:
        raise FormatError(
            f"{str(path)!r}: a name that is not UTF-8", hint="rename the file or folder"
        ) from error


def _size(path: Path, root: Path) -> int:
    """Size in bytes of a regular file. Raises FormatError for anything else."""
    _refuse_link_out(path, root)
    try:
        facts = path.stat()
    except OSError as error:
        raise FormatError(f"{path}: cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(facts.st_mode):
        raise FormatError(
            f"{path}: not a regular file", hint="remove devices, pipes and sockets from the folder"
        )
    return facts.st_size


def _refuse_link_out(path: Path, root: Path) -> None:
    """Refuse a symbolic link that leaves the checkpoint, except into the Hub cache's own blobs."""
    if not path.is_symlink():
        return
    target, inside = path.resolve(), root.resolve()
    cache = inside.parent.parent if inside.parent.name == "snapshots" else inside
    blobs = cache / "blobs" if inside.parent.name == "snapshots" else inside
    if not (target.is_relative_to(inside) or target.is_relative_to(blobs)):
        raise FormatError(
            f"{path}: a symbolic link that leaves the checkpoint's folder",
            hint="replace the link by the file itself",
        )
