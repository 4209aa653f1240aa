"""The command line as a user meets it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fpcheck import __version__
from fpcheck.cli import main
from tests.checkpoints import llama, write, write_sharded
from tests.servers.hub import HubServer

ROOT = Path(__file__).parent.parent


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a release in it."""
    write(tmp_path / "release", llama())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def add(folder: str, identity: str, *more: str) -> int:
    return main(["library", "add", folder, "--to", "references", "--id", identity, *more])


def test_a_checkpoint_like_no_other_passes(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "release"]) == 0
    assert capsys.readouterr().out.startswith("PASS  release")


def test_an_undeclared_copy_fails_and_a_declared_one_passes(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert add("release", "acme/model") == 0
    assert main(["check", "release", "--library", "references"]) == 1
    assert "acme/model: identical" in capsys.readouterr().out

    Path("fpcheck.yml").write_text("version: 1\nlibrary: [references]\ndeclared: [acme/model]\n")
    assert main(["check", "release"]) == 0


def test_the_model_cards_base_counts_as_declared(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add("release", "acme/model")
    Path("release/README.md").write_text("---\nbase_model: acme/model\n---\n# A model\n")

    assert main(["check", "release", "--library", "references", "--format", "json"]) == 0

    out = capsys.readouterr().out
    report = json.loads(out[out.index("{") :])
    assert report["declared"] == [{"id": "acme/model", "by": "model card"}]


def test_sharding_does_not_change_a_signature(workspace: Path) -> None:
    add("release", "acme/model")
    write_sharded(workspace / "sharded", llama(), shards=3)

    assert main(["check", "sharded", "--library", "references"]) == 1


def test_the_policys_checkpoint_is_checked_when_none_is_named(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(".github").mkdir()
    Path(".github/fpcheck.yml").write_text("version: 1\ncheckpoint: release\n")
    Path("fpcheck.yml").write_text("not read at all")

    assert main(["check"]) == 0
    assert "PASS  release" in capsys.readouterr().out


def test_a_named_policy_switches_the_search_off_and_must_exist(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("fpcheck.yml").write_text("not a policy")
    Path("mine.yml").write_text("version: 1\n")

    assert main(["check", "release"]) == 2
    assert main(["check", "release", "--config", "mine.yml"]) == 0
    assert main(["check", "release", "--config", "gone.yml"]) == 2
    assert "gone.yml" in capsys.readouterr().err


def test_no_checkpoint_at_all_is_the_users_mistake(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check"]) == 2
    assert "no checkpoint is named" in capsys.readouterr().err


def test_reports_are_written_where_asked_and_are_reproducible(workspace: Path) -> None:
    add("release", "acme/model")
    for folder in ("one", "two"):
        main(["check", "release", "--library", "references", "--output", folder])

    names = {"report.md", "report.json", "profile.svg"}
    assert {path.name for path in Path("one").iterdir()} == names
    for name in names:
        assert Path("one", name).read_bytes() == Path("two", name).read_bytes()


def test_the_command_in_the_report_gives_the_report_again(workspace: Path) -> None:
    add("release", "acme/model")
    Path("my policy.yml").write_text("version: 1\n")
    main(
        [
            "check",
            "release",
            "--config",
            "my policy.yml",
            "--library",
            "references",
            "--output",
            "r",
        ]
    )
    report = json.loads(Path("r/report.json").read_text())

    command = report["reproduce"].replace("fpcheck", f"{sys.executable} -m fpcheck", 1)
    again = subprocess.run(
        f"{command} --format json",
        shell=True,
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    assert again.returncode == 1
    assert json.loads(again.stdout) == report


def test_a_folder_for_reports_that_cannot_be_made_does_not_change_the_verdict(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("taken").write_text("")

    assert main(["check", "release", "--output", "taken"]) == 0
    assert "warning" in capsys.readouterr().err


def test_a_fingerprint_is_the_same_bytes_each_time(workspace: Path) -> None:
    for name in ("a.json", "b.json"):
        assert main(["fingerprint", "release", "-o", name]) == 0

    assert Path("a.json").read_bytes() == Path("b.json").read_bytes()
    signature = json.loads(Path("a.json").read_text())
    assert signature["format"] == "fpcheck.signature/1"
    assert all(file["digest"].startswith("sha256:") for file in signature["files"])


def test_a_fingerprint_without_digests_says_so(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fingerprint", "release", "--no-digest"]) == 0
    assert json.loads(capsys.readouterr().out)["files"][0]["digest"] is None


def test_a_checkpoint_that_cannot_be_measured_has_no_fingerprint(workspace: Path) -> None:
    write(workspace / "plain", {n: t for n, t in llama().items() if "self_attn" not in n})

    assert main(["fingerprint", "plain", "-o", "x.json"]) == 3
    assert not Path("x.json").exists()


def test_two_checkpoints_or_signatures_are_compared(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(workspace / "other", llama(seed=5))
    main(["fingerprint", "release", "-o", "release.json"])

    assert main(["compare", "release", "release.json"]) == 0
    assert "identical" in capsys.readouterr().out
    assert main(["compare", "release", "other", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["level"] == "none"


def test_the_library_is_listed_shown_and_verified(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add("release", "acme/model", "--parent", "acme/base", "--licence", "mit", "--note", "a test")
    capsys.readouterr()

    assert main(["library", "list", "--library", "references"]) == 0
    assert "acme/model" in capsys.readouterr().out
    assert main(["library", "show", "acme/model", "--library", "references"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["parents"], shown["licence"]) == (["acme/base"], "mit")
    assert main(["library", "verify"]) == 0
    assert "references as the manifest says" in capsys.readouterr().out
    assert main(["library", "show", "acme/modell", "--library", "references"]) == 2
    assert "did you mean acme/model" in capsys.readouterr().err


def test_an_altered_reference_stops_the_check(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add("release", "acme/model")
    file = Path("references/acme/model.json")
    file.write_text(file.read_text().replace("0.0", "0.1", 1))

    assert main(["check", "release", "--library", "references"]) == 2
    assert "acme/model.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[], ["nonsense"], ["check", "--nonsense"], ["check", "a", "b"]]
)
def test_wrong_options_exit_with_two(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)

    assert stopped.value.code == 2


def test_the_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])

    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"fpcheck {__version__}\n"


def test_delivering_outside_a_workflow_is_a_mistake(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)

    assert main(["check", "release", "--deliver", "github"]) == 2


def test_help_needs_none_of_the_slow_packages() -> None:
    code = (
        "import sys, fpcheck.cli\n"
        "try: fpcheck.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "slow = {'numpy', 'yaml', 'jinja2', 'requests', 'huggingface_hub', 'safetensors'}\n"
        "print('loaded', sorted(slow & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert run.stdout.endswith("loaded []\n")


def test_an_unexpected_file_is_shown_with_a_traceback_only_when_asked(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("release/model.safetensors").write_bytes(b"")

    main(["check", "release"])
    assert "Traceback" not in capsys.readouterr().err
    main(["check", "release", "--verbose"])
    assert "Traceback" in capsys.readouterr().err


def test_a_checkpoint_on_the_hub_is_checked_by_ranges_of_its_attention(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "release", llama())
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.chdir(tmp_path)
    add("release", "acme/known")
    with HubServer({"acme/release": files}) as server:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.endpoint)
        code = main(["check", "acme/release", "--library", "references", "--format", "json"])

    report = json.loads(capsys.readouterr().out.split("\n", 1)[1])
    assert code == 1
    assert report["level"] == "identical"
    assert len(report["signature"]["origin"]["commit"]) == 40
    commit = report["signature"]["origin"]["commit"]
    assert report["reproduce"].startswith(f"fpcheck check acme/release@{commit}")
