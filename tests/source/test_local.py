"""A local folder: what is listed, what is refused, and that it is read whatever its size."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fpcheck.errors import FormatError, SourceError, UsageError
from fpcheck.source import read
from fpcheck.source.descriptors import MAX_IDLE
from fpcheck.source.local import LocalSource

SHARD = "model.safetensors"


def put(folder: Path, *names: str) -> Path:
    """Files that hold their own names."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def listed(folder: Path) -> list[str]:
    with LocalSource(str(folder)) as source:
        return list(source.files())


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def few_descriptors() -> Iterator[int]:
    """No more than some 128 open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = 128 + (open_descriptors() if Path("/proc/self/fd").exists() else 128)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    yield limit
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_everything_but_bookkeeping_is_released(tmp_path: Path) -> None:
    put(tmp_path, SHARD, ".gitattributes", "sub/config.json", ".cache/real/model.safetensors")
    put(tmp_path, "sub/.cache/huggingface/x", ".hidden/x")
    put(tmp_path, ".git/config", "__pycache__/a.pyc", ".cache/huggingface/download/x.metadata")

    assert listed(tmp_path) == [
        ".cache/real/model.safetensors",
        ".gitattributes",
        ".hidden/x",
        SHARD,
        "sub/.cache/huggingface/x",
        "sub/config.json",
    ]


@pytest.mark.parametrize("name", [b"\xff.txt", b"\xff/a.txt", b"sub/\xff/a.txt"])
def test_a_name_that_no_signature_could_hold_is_refused(name: bytes, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()

    with pytest.raises(FormatError, match="not UTF-8"):
        listed(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list everything")
def test_a_folder_that_cannot_be_listed_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "sub/a")
    (tmp_path / "sub").chmod(0)
    try:
        with pytest.raises(FormatError, match="cannot be listed"):
            listed(tmp_path)
    finally:
        (tmp_path / "sub").chmod(0o700)


def test_a_folder_that_is_gone_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def walk(root: Path, onerror: object) -> Iterator[object]:
        assert callable(onerror)
        onerror(PermissionError(13, "Permission denied", str(root)))
        yield from ()

    monkeypatch.setattr(os, "walk", walk)

    with pytest.raises(FormatError, match="cannot be listed: Permission denied"):
        listed(tmp_path)


@pytest.mark.parametrize("name", ["a", "sub/a"])
def test_a_link_out_of_the_folder_is_refused(name: str, tmp_path: Path) -> None:
    put(tmp_path, "outside", "folder/sub/b")
    (tmp_path / "folder" / name).symlink_to(tmp_path / "outside")

    with pytest.raises(FormatError, match="symbolic link"):
        listed(tmp_path / "folder")


def test_a_single_file_comes_with_its_config_and_card(tmp_path: Path) -> None:
    put(tmp_path, "a.safetensors", "b.safetensors", "config.json", "README.md", "other")

    assert listed(tmp_path / "a.safetensors") == ["README.md", "a.safetensors", "config.json"]
    with pytest.raises(UsageError, match="neither a folder nor"):
        listed(tmp_path / "other")


def test_more_files_are_read_than_a_process_may_have_open(
    tmp_path: Path, few_descriptors: int
) -> None:
    names = [f"f{i}" for i in range(few_descriptors + 10)]
    put(tmp_path, *names)
    with LocalSource(str(tmp_path)) as source, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: bytes(read(source, n, 0, len(n))).decode(), names * 2))

    assert found == names * 2


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's /proc")
def test_files_stay_open_for_the_next_read_and_no_longer_than_their_source(tmp_path: Path) -> None:
    names = [f"f{i}" for i in range(MAX_IDLE + 10)]
    put(tmp_path, *names)
    before = open_descriptors()
    with LocalSource(str(tmp_path)) as source:
        for name in names:
            read(source, name, 0, 1)
        assert open_descriptors() == before + MAX_IDLE
        (tmp_path / names[-1]).unlink()
        assert read(source, names[-1], 0, 1) == b"f"

    assert open_descriptors() == before


def test_a_file_in_use_is_not_closed_whatever_others_read(tmp_path: Path) -> None:
    names = [f"f{i}" for i in range(3 * MAX_IDLE)]
    put(tmp_path, *names)
    with LocalSource(str(tmp_path)) as source, source._descriptors.lent("f0") as descriptor:
        for name in names:
            read(source, name, 0, 1)

        assert os.pread(descriptor, 2, 0) == b"f0"


def test_a_file_that_changed_since_it_was_listed_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "longer", "shorter")
    with LocalSource(str(tmp_path)) as source:
        (tmp_path / "longer").write_text("longer than before")
        with pytest.raises(SourceError, match="longer: changed since"):
            read(source, "longer", 0, 1)
        read(source, "shorter", 0, 1)
        (tmp_path / "shorter").write_text("cut")
        with pytest.raises(SourceError, match="shorter: ends before byte 7"):
            read(source, "shorter", 0, 7)
