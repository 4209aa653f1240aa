"""The library of references: loaded, checked against its manifest, and indexed by id."""

from __future__ import annotations

import difflib
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from fpcheck import calibration, reference
from fpcheck.calibration import DEFAULT, Calibration
from fpcheck.errors import UsageError
from fpcheck.fields import parse_document
from fpcheck.files import Owner, write_files
from fpcheck.reference import ARRAYS, ID, Reference
from fpcheck.signature.file import MAX_BYTES, canonical

MANIFEST = "manifest.json"
CALIBRATION = "calibration.json"  # of the built-in library alone: no other may move a threshold
MANIFEST_FORMAT = "fpcheck.library/1"
MAX_REFERENCES = 100_000


@dataclass(frozen=True)
class Library:
    """All references, sorted by id, the digest that pins every one of them, and what strangers
    among them score.
    """

    references: tuple[Reference, ...]
    digest: str
    calibration: Calibration = DEFAULT

    def ancestors(self, identity: str) -> frozenset[str]:
        """The recorded ancestors of an id, itself not among them."""
        found: set[str] = set()
        pending = [identity]
        while pending:
            parents = self._parents.get(pending.pop(), frozenset()) - found
            found |= parents
            pending += parents
        return frozenset(found - {identity})

    def family(self, identity: str) -> str:
        """A name for the set of ids that recorded descent connects; strangers differ in it."""
        return self._families.get(identity, identity)

    @cached_property
    def _parents(self) -> Mapping[str, frozenset[str]]:
        parents: dict[str, frozenset[str]] = {}
        for item in self.references:
            parents[item.id] = parents.get(item.id, frozenset()) | frozenset(item.parents)
        return parents

    @cached_property
    def _families(self) -> Mapping[str, str]:
        """Each id's family, named after its first id: the connected parts of the lineage."""
        leader: dict[str, str] = {}

        def lead(identity: str) -> str:
            while leader.setdefault(identity, identity) != identity:
                leader[identity] = leader[leader[identity]]
                identity = leader[identity]
            return identity

        for identity, parents in self._parents.items():
            for parent in parents:
                first, second = sorted((lead(identity), lead(parent)))
                leader[second] = first
        return {identity: lead(identity) for identity in [*leader]}


def builtin_folder() -> Path:
    """The library that comes with fpcheck: inside the package, or beside it in a checkout."""
    packaged = Path(__file__).parent / "_library"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "reference_signatures"


def load_library(folders: Iterable[str | Path]) -> Library:
    """The references of several folders together. A folder adds to those before it, never replaces.

    Raises UsageError for a folder without a manifest, and for any file that is missing, altered,
    unlisted or malformed.
    """
    found: dict[str, Reference] = {}
    digests: dict[str, str] = {}
    for folder in folders:
        for path, item, digest in _load_folder(Path(folder)):
            if digests.setdefault(path, digest) != digest:
                raise UsageError(
                    f"{folder}: {path}: another reference of this id is already in the library",
                    hint="a folder can add references, not replace them",
                )
            found[path] = item
    ordered = tuple(sorted(found.values(), key=lambda item: (item.id, item.path)))
    return Library(ordered, _sha256(_manifest(digests).encode()), builtin_calibration())


def builtin_calibration() -> Calibration:
    """What strangers score, as it was measured for the built-in library. Raises UsageError."""
    folder = builtin_folder()
    return calibration.load(_content(folder, CALIBRATION), str(folder / CALIBRATION))


def _load_folder(folder: Path) -> Iterator[tuple[str, Reference, str]]:
    listed = _listed(folder)
    _refuse_unlisted(folder, listed)
    for path, digest in sorted(listed.items()):
        content = _content(folder, path)
        if _sha256(content) != digest:
            raise UsageError(
                f"{folder / path}: altered: its digest is {_sha256(content)}, {MANIFEST} "
                f"says {digest[:80]}",
                hint="restore the file, or add it again with `fpcheck library add`",
            )
        beside = partial(_content, folder, path.removesuffix(".json") + ARRAYS)
        item = reference.load(content, str(folder / path), beside)
        if item.path != path:
            raise UsageError(f"{folder / path}: holds {item.id}, which belongs in {item.path}")
        yield path, item, digest


def _refuse_unlisted(folder: Path, listed: Mapping[str, str]) -> None:
    """Refuse references, and arrays of references, that the manifest does not list."""
    known = {MANIFEST, CALIBRATION, *listed}
    known |= {path.removesuffix(".json") + ARRAYS for path in listed}
    for kind in ("*.json", f"*{ARRAYS}"):
        for path in sorted(p.relative_to(folder).as_posix() for p in folder.rglob(kind)):
            if path not in known:
                raise UsageError(
                    f"{folder / path}: not listed in {MANIFEST}",
                    hint="add references with `fpcheck library add`",
                )


def _listed(folder: Path) -> dict[str, str]:
    """The manifest's paths and digests."""
    fields = parse_document(_content(folder, MANIFEST), str(folder / MANIFEST))
    fields.text("format", choices=(MANIFEST_FORMAT,))
    entries = fields.mapping("references")
    listed = {path: entries.text(path) for path in entries.names()}
    fields.close()
    for path in listed:
        if not path.endswith(".json") or not ID.fullmatch(path.removesuffix(".json")):
            raise entries.fault(path, "not a reference's path, owner/name.json")
    if len(listed) > MAX_REFERENCES:
        raise fields.fault("references", f"more than {MAX_REFERENCES:,}")
    return listed


def _content(folder: Path, path: str) -> bytes:
    file = folder / path
    try:
        status = file.lstat()
        if not stat.S_ISREG(status.st_mode) or (folder / path.split("/")[0]).is_symlink():
            raise UsageError(f"{file}: a library holds plain files, no links")
        if status.st_size > MAX_BYTES:
            raise UsageError(f"{file}: {status.st_size:,} bytes, more than {MAX_BYTES:,}")
        return file.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{file}: cannot be read: {error.strerror}",
            hint=f"a library is a folder with a {MANIFEST} that lists its files",
        ) from error


def add_reference(
    folder: Path, item: Reference, *, replace: bool = False, owner: Owner | None = None
) -> Path:
    """Write a reference into a library's folder, its manifest included. Returns the file's path.

    Raises UsageError, and writes nothing, for a reference that could not be loaded again, for a
    folder of other things, and without `replace` for a path that another reference has.
    """
    content, arrays = reference.dump(item), reference.arrays(item)
    reference.load(content.encode(), item.path, lambda: arrays or b"")
    listed, digest = _listed_so_far(folder), _sha256(content.encode())
    if listed.get(item.path, digest) != digest and not replace:
        raise UsageError(
            f"{folder / item.path}: another reference of this id is already there",
            hint="add it with --replace to replace it",
        )
    file = folder / item.path
    files: dict[str, str | bytes] = {file.name: content}
    if arrays is not None:
        files[Path(item.arrays_path).name] = arrays
    write_files(file.parent, files, owner=owner)
    write_files(folder, {MANIFEST: _manifest({**listed, item.path: digest})}, owner=owner)
    return file


def listed_ids(folder: Path) -> frozenset[str]:
    """The ids that a folder's manifest lists; none of a folder that is new."""
    names = (path.removesuffix(".json") for path in _listed_so_far(folder))
    return frozenset(name.removesuffix(".figures") for name in names)


def similar_ids(identity: str, known: Iterable[str], *, likeness: float) -> list[str]:
    """The ids that somebody may have meant, nearest first; upper and lower case are alike."""
    spelled = {name.lower(): name for name in known}
    near = difflib.get_close_matches(identity.lower(), spelled, n=3, cutoff=likeness)
    return [spelled[name] for name in near]


def _listed_so_far(folder: Path) -> dict[str, str]:
    """The manifest's paths and digests; none of a folder that is new or empty."""
    try:
        if os.path.lexists(folder / MANIFEST):
            return _listed(folder)
        foreign = folder.is_dir() and next(folder.iterdir(), None)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be read: {error.strerror}") from error
    if foreign:  # a checkpoint's own folder, say, in which no file would ever be listed
        raise UsageError(
            f"{folder}: not a library: it holds {foreign.name} and no {MANIFEST}",
            hint="name a library's folder, or a new one",
        )
    return {}


def _manifest(listed: Mapping[str, str]) -> str:
    return canonical({"format": MANIFEST_FORMAT, "references": dict(listed)})


def _sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
