from __future__ import annotations

import os
from pathlib import Path

import pytest

from fpcheck.errors import CheckError, UsageError
from fpcheck.files import remove_file, workspace_owner, write_files

REPORT = {"report.md": "# Räport\n", "report.json": "{}\n"}
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch) -> Path:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    monkeypatch.chdir(workspace)
    return workspace


def names(folder: str | Path) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


@pytest.mark.parametrize("folder", [".", "reports", "out/of/many", "../beside", "a/../b"])
def test_files_are_written_whole_and_nothing_else(folder: str):
    paths = write_files(Path(folder), REPORT)

    folder = os.path.normpath(folder)
    assert paths == (Path(folder) / "report.md", Path(folder) / "report.json")
    assert [p.read_text(encoding="utf-8") for p in paths] == list(REPORT.values())
    assert names(folder) == sorted(REPORT)


def test_folder_may_be_anywhere_and_new(tmp_path: Path):
    write_files(tmp_path / "elsewhere" / "new", REPORT)

    assert (tmp_path / "elsewhere" / "new" / "report.md").exists()


def test_links_of_the_system_are_followed(tmp_path: Path):
    (tmp_path / "real").mkdir()
    (tmp_path / "tmp").symlink_to("real")

    write_files(tmp_path / "tmp" / "reports", REPORT)

    assert (tmp_path / "real" / "reports" / "report.md").exists()


def test_older_files_are_replaced(workspace: Path):
    write_files(Path("reports"), REPORT)
    with Path("reports/report.md").open(encoding="utf-8") as old:
        write_files(Path("reports"), {"report.md": "new"})

        assert old.read() == REPORT["report.md"]
    assert Path("reports/report.md").read_text() == "new"


@pytest.mark.parametrize("planted", ["reports", "out", "out/of"])
def test_folder_that_is_a_link_is_refused(tmp_path: Path, planted: str):
    (tmp_path / "target").mkdir()
    Path(planted).parent.mkdir(exist_ok=True)
    Path(planted).symlink_to(tmp_path / "target")

    with pytest.raises(UsageError, match="symbolic link"):
        write_files(Path(planted) / "reports", REPORT)
    with pytest.raises(UsageError, match="symbolic link"):
        write_files(Path(planted), REPORT)

    assert names(tmp_path / "target") == []


def test_absolute_path_into_the_workspace_is_no_way_around(workspace: Path, tmp_path: Path):
    (workspace / "reports").symlink_to(tmp_path)

    with pytest.raises(UsageError, match="symbolic link"):
        write_files(workspace / "reports" / "inner", REPORT)


def test_file_that_is_a_link_is_refused(tmp_path: Path):
    Path("report.md").symlink_to(tmp_path / "target")

    with pytest.raises(UsageError, match="not a regular file"):
        write_files(Path(), REPORT)

    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("name", ["../x", "a/b", "/x", "", ".", ".."])
def test_names_are_plain(name: str):
    with pytest.raises(ValueError, match="plain file name"):
        write_files(Path("reports"), {name: "x"})


def test_file_in_the_folders_place_is_an_error_with_a_way_out(workspace: Path):
    Path("reports").write_text("mine")

    for folder in ("reports", "reports/inner"):
        with pytest.raises(UsageError, match="a file is in the folder's place") as caught:
            write_files(Path(folder), REPORT)

        assert str(caught.value).startswith(f"{folder}: ")
        assert "another folder" in caught.value.hint


def test_only_a_file_of_ours_is_removed(tmp_path: Path):
    write_files(Path("reports"), {"a.svg": "<svg>ours", "b.svg": "<!-- theirs"})
    Path("reports/c.svg").symlink_to("a.svg")
    os.mkfifo("reports/d.svg")

    for name in ("a.svg", "b.svg", "c.svg", "d.svg", "missing.svg"):
        remove_file(Path("reports"), name, beginning=b"<svg>")
    remove_file(Path("no/such/folder"), "a.svg", beginning=b"<svg>")

    assert names("reports") == ["b.svg", "c.svg", "d.svg"]
    assert not Path("no").exists()


def test_failed_write_leaves_the_old_file_and_no_rest(monkeypatch):
    write_files(Path("reports"), {"report.md": "old"})

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(CheckError, match="No space left"):
        write_files(Path("reports"), {"report.md": "new"})

    assert names("reports") == ["report.md"]
    assert Path("reports/report.md").read_text() == "old"


@needs_root
def test_files_belong_to_the_workspaces_owner(workspace: Path):
    os.chown(workspace, 1234, 2345)
    Path("old").mkdir()
    env = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(workspace)}

    write_files(Path("old/new"), REPORT, owner=workspace_owner(env))

    owners = [
        (p.stat().st_uid, p.stat().st_gid) for p in (Path("old/new"), Path("old/new/report.md"))
    ]
    assert owners == [(1234, 2345)] * 2
    assert Path("old").stat().st_uid == os.geteuid()


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"GITHUB_WORKSPACE": "."},
        {"GITHUB_ACTIONS": "true"},
        {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": "missing"},
    ],
)
def test_outside_the_action_files_stay_with_who_writes_them(env: dict[str, str]):
    assert workspace_owner(env) is None
