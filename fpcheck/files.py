"""Files in a folder, each whole or not there, never through somebody's symbolic link."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fpcheck.errors import CheckError, UsageError

ELSEWHERE = "name another folder"
Owner = tuple[int, int]
OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
OLD_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def workspace_owner(env: Mapping[str, str]) -> Owner | None:
    """Whom files in the workspace should belong to, where the runner makes us work as root.

    None elsewhere: root's own files on somebody's machine stay root's.
    """
    workspace = env.get("GITHUB_WORKSPACE", "")
    if env.get("GITHUB_ACTIONS") != "true" or not workspace or os.geteuid() != 0:
        return None
    try:
        found = Path(workspace).stat()
    except OSError:
        return None
    return found.st_uid, found.st_gid


def write_files(
    folder: Path, files: Mapping[str, str | bytes], *, owner: Owner | None = None
) -> tuple[Path, ...]:
    """Write every file into `folder`, made if needed. Returns their paths.

    Raises UsageError for a symbolic link on the way (a pull request may have planted it) and for
    a file in a folder's place, CheckError when the disk says no.
    """
    folder = Path(os.path.normpath(folder))  # `a/..` need not exist, nor be what it seems
    with _told(folder), _opened(folder, owner) as descriptor:
        for name, content in files.items():
            _refuse_special(folder / name, name, descriptor)
            encoded = content.encode("utf-8", "replace") if isinstance(content, str) else content
            _write(name, encoded, descriptor, owner)
    return tuple(folder / name for name in files)


def remove_file(folder: Path, name: str, *, beginning: bytes) -> None:
    """Remove a file if it is there and begins as ours does; anybody else's is left alone.

    Raises as `write_files` does.
    """
    folder = Path(os.path.normpath(folder))
    with _told(folder):
        if not folder.is_dir():
            return
        with _opened(folder, None) as descriptor:
            if _beginning(name, len(beginning), descriptor) == beginning:
                _remove(name, descriptor)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """What the system says of a folder, as errors that name it and the way out."""
    try:
        yield
    except NotADirectoryError as error:
        raise UsageError(f"{folder}: a file is in the folder's place", hint=ELSEWHERE) from error
    except OSError as error:
        raise CheckError(
            f"{folder}: cannot be written to: {error.strerror or error}", hint=ELSEWHERE
        ) from error


@contextmanager
def _opened(folder: Path, owner: Owner | None) -> Iterator[int]:
    """The folder, reached step by step, each step from the last one's open descriptor.

    Below the working directory, which may be a stranger's checkout, no step may be a link.
    Elsewhere only the last may not: how a system arranges its own folders is not ours to judge.
    """
    base, steps = _route(folder)
    descriptor = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for step in steps:
            inner = _enter(folder, step, descriptor, owner)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def _route(folder: Path) -> tuple[Path, tuple[str, ...]]:
    """Where to start without a second look, and the steps from there."""
    target = Path(os.path.abspath(folder))  # noqa: PTH100 — resolve() would follow links
    ours = Path.cwd()
    if not target.is_relative_to(ours):
        ours = next((parent for parent in target.parents if parent.is_dir()), target)
    return ours, target.relative_to(ours).parts


def _enter(folder: Path, step: str, above: int, owner: Owner | None) -> int:
    """Open one folder within another, made if needed."""
    try:
        os.mkdir(step, dir_fd=above)
        made = True
    except FileExistsError:
        made = False
    _refuse_link(folder, step, above)
    inner = os.open(step, OPEN_FOLDER, dir_fd=above)
    if made and owner:
        os.fchown(inner, *owner)
    return inner


def _refuse_link(folder: Path, step: str, above: int) -> None:
    if stat.S_ISLNK(os.lstat(step, dir_fd=above).st_mode):
        raise UsageError(
            f"{folder}: {step} is a symbolic link",
            hint=f"{ELSEWHERE}, one without links",
        )


def _refuse_special(path: Path, name: str, folder: int) -> None:
    """Replacing a link would be safe, but one in a file's place is nobody's good intention."""
    if name != os.path.basename(name) or name in {"", ".", ".."}:  # noqa: PTH119 — a plain name
        raise ValueError(f"not a plain file name: {name!r}")
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise UsageError(
            f"{path}: in the file's place, and not a regular file",
            hint="remove it, or name another place",
        )


def _beginning(name: str, length: int, folder: int) -> bytes:
    """The first bytes of a regular file; none of anything else."""
    try:
        descriptor = os.open(name, OLD_FILE, dir_fd=folder)
    except OSError:  # not there, a link, closed to us: in any case nothing of ours
        return b""
    with os.fdopen(descriptor, "rb") as file:
        return file.read(length) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""


def _write(name: str, content: bytes, folder: int, owner: Owner | None) -> None:
    """Write aside, then move into place: a reader sees the old file or the new one."""
    aside = f".{name}.{secrets.token_hex(8)}"
    try:
        with os.fdopen(os.open(aside, NEW_FILE, 0o644, dir_fd=folder), "wb") as file:
            if owner:
                os.fchown(file.fileno(), *owner)
            file.write(content)
        os.replace(aside, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        _remove(aside, folder)
        raise


def _remove(name: str, folder: int) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
