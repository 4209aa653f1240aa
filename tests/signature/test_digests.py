"""Digests are those of hashlib, and nothing is hashed whose digest is known."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from fpcheck.errors import SourceError
from fpcheck.signature.digests import digests
from fpcheck.source import SourceFile
from fpcheck.source.local import LocalSource
from tests.memory_source import MemorySource

FILES = {"a": b"", "b/c": b"x" * 70_001, "d": bytes(range(256)) * 999}


def sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("read_size", [1000, 70_001, 1 << 20])
@pytest.mark.parametrize("workers", [1, 3])
def test_every_file_gets_its_digest_in_the_order_given(read_size: int, workers: int) -> None:
    source = MemorySource(FILES, read_size=read_size)

    found = digests(source, reversed([*source.files().values()]), workers=workers)

    assert found == tuple(
        SourceFile(name, len(content), sha256(content)) for name, content in reversed(FILES.items())
    )


def test_a_local_folder_is_hashed_alike(tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    with LocalSource(str(tmp_path)) as source:
        found = {file.name: file.digest for file in digests(source, source.files().values())}

    assert found == {name: sha256(content) for name, content in FILES.items()}


def test_what_the_source_declares_is_not_read() -> None:
    declared = SourceFile("not there", 10**12, sha256(b"elsewhere"))

    assert digests(MemorySource({}), [declared]) == (declared,)


def test_another_kind_of_digest_is_replaced() -> None:
    file = SourceFile("d", len(FILES["d"]), "git-blob:" + "0" * 40)

    assert digests(MemorySource(FILES), [file])[0].digest == sha256(FILES["d"])


def test_a_file_that_cannot_be_read_has_no_digest() -> None:
    with pytest.raises(SourceError):
        digests(MemorySource(FILES), [SourceFile("d", 10**6)])


def test_progress_counts_bytes() -> None:
    calls: list[tuple[int, int]] = []
    source = MemorySource(FILES)

    digests(source, source.files().values(), progress=lambda *call: calls.append(call))

    size = sum(map(len, FILES.values()))
    assert calls[-1] == (size, size)
