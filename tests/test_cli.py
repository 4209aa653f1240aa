"""The command line as a user meets it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fpcheck import __version__, reference
from fpcheck.cli import main
from fpcheck.commands import checking
from fpcheck.fields import parse_document
from fpcheck.reference import How, Obtained
from fpcheck.references import add_reference
from fpcheck.report import terminal
from fpcheck.signature.file import canonical
from tests.checkpoints import llama, write, write_sharded
from tests.delivery import runner
from tests.report.checks import a_failing_check
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


# After the verdict: nothing that goes wrong changes the exit code, or stops what comes after it.


@pytest.fixture
def step(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A step of a workflow without a pull request; the file of its outputs."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_OUTPUT", str(workspace / "outputs"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(workspace / "summary"))
    add("release", "acme/model")
    return workspace / "outputs"


DELIVERED = ("check", "release", "--library", "references", "--deliver", "github", "--output", "r")


def outputs(file: Path) -> tuple[str, str]:
    found = runner.outputs(file.read_text())
    return found["verdict"], found["exit-code"]


def run(
    *arguments: str, stdout: object = subprocess.PIPE, **env: str
) -> subprocess.CompletedProcess[str]:
    """fpcheck in a process of its own, with streams of its own."""
    return subprocess.run(
        [sys.executable, "-m", "fpcheck", *arguments],
        stdout=stdout,  # type: ignore[call-overload]
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
    )


def test_a_result_that_cannot_be_printed_is_delivered_all_the_same(step: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = run(*DELIVERED, stdout=full)

    assert done.returncode == 1
    assert outputs(step) == ("fail", "1")
    assert "warning: the result was not printed: cannot write to standard output" in done.stderr
    assert "defect" not in done.stderr


def test_a_reader_that_went_away_does_not_change_the_verdict(step: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = run(*DELIVERED, stdout=writer)
    finally:
        os.close(writer)

    assert done.returncode == 1
    assert outputs(step) == ("fail", "1")


def test_a_log_in_ascii_takes_every_report(step: Path) -> None:
    done = run("check", "release", "--format", "markdown", PYTHONIOENCODING="ascii")

    assert done.returncode == 0
    assert done.stdout.startswith("# \\u2705 fpcheck: pass")
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("broken", "warning"),
    [
        ("checking.svg.render", "no report was written: unexpected RuntimeError: broken"),
        ("checking.write_files", "no report was written"),
        ("checking.markdown.render", "no summary and no comment"),
        ("checking.log_text", "the result was not printed"),
        ("checking.deliver", "the result was not delivered"),
    ],
)
def test_whatever_breaks_after_the_verdict_is_a_warning(
    step: Path,
    broken: str,
    warning: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(f"fpcheck.commands.{broken}", breaks)

    assert main(DELIVERED) == 1
    assert f"fpcheck: warning: {warning}" in capsys.readouterr().err
    assert "deliver" in broken or outputs(step) == ("fail", "1")


def test_a_stop_after_the_verdict_does_not_change_it(
    step: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checking, "show", stopped)

    assert main(DELIVERED) == 1
    assert outputs(step) == ("fail", "1")


@pytest.mark.parametrize("error", [RuntimeError("broken"), MemoryError(), KeyboardInterrupt()])
def test_whatever_stops_a_check_is_told_as_no_verdict(
    step: Path, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(checking, "run_check", breaks)

    assert main(DELIVERED) == 3
    assert outputs(step) == ("error", "3")


def test_no_older_report_survives_a_check_without_a_verdict(workspace: Path) -> None:
    assert main(["check", "release", "--output", "r"]) == 0
    assert Path("r/profile.svg").exists()
    Path("release/model.safetensors").write_bytes(b"")

    assert main(["check", "release", "--output", "r"]) == 3

    report = json.loads(Path("r/report.json").read_text())
    assert (report["format"], report["outcome"]) == ("fpcheck.report/1", "error")
    assert report["exit_code"] == 3
    assert "too short" in report["error"]
    assert (
        Path("r/report.md")
        .read_text()
        .startswith("# ❌ fpcheck: no verdict\n\n`model.safetensors: 0")
    )
    assert not Path("r/profile.svg").exists()


def test_a_picture_of_somebody_elses_is_left_alone(workspace: Path) -> None:
    Path("r").mkdir()
    Path("r/profile.svg").write_text("<svg>mine</svg>")
    Path("taken").write_text("")

    assert main(["check", "missing-folder.x", "--output", "r"]) == 2
    assert main(["check", "missing-folder.x", "--output", "taken"]) == 2
    assert Path("r/profile.svg").read_text() == "<svg>mine</svg>"


def test_a_long_reason_is_told_whole(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "n" * 1_000

    assert main(["check", "release", "--library", name, "--output", "r"]) == 2
    for said in (capsys.readouterr().err, Path("r/report.md").read_text()):
        assert f"{name}/manifest.json: cannot be read: File name too long" in said


# What a workflow's log shows of hostile names.

ATTACK = "x##[set-output name=verdict]pass\n::set-output name=verdict::pass\n"


def test_json_on_standard_output_commands_no_runner(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tensors = {name.replace("model.", f"{ATTACK}.", 1): t for name, t in llama().items()}
    write(workspace / "release", tensors, {"model_type": ATTACK})
    assert add("release", "acme/model", "--note", ATTACK) == 0
    capsys.readouterr()
    for command in (
        ["fingerprint", "release"],
        ["check", "release", "--library", "references", "--format", "json"],
        ["library", "show", "acme/model", "--library", "references"],
        ["compare", "release", "references/acme/model.json", "--format", "json"],
    ):
        main(command)
        said = capsys.readouterr()

        assert runner.commands(said.out) == runner.commands(said.err) == []
        assert ATTACK in json.dumps(json.loads(said.out)).replace("\\n", "\n")


def test_canonical_json_is_the_same_json_and_inert() -> None:
    for text in ("##[group]x", "###[error]", "\\##[x]##[y]", "::error::x", "\n::error::x"):
        value = {text: [text], "deep": {"list": [text, {text: text}], "nested": [[text], [1]]}}

        assert runner.commands(canonical(value)) == []
        assert json.loads(canonical(value)) == value
        assert parse_document(canonical(value).encode(), "x").take(text) == [text]


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


def test_what_cannot_be_compared_is_not_compared(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(workspace / "shallow", llama(layers=2, seed=5))
    assert main(["fingerprint", "shallow"]) == 0  # on standard output the profile alone
    Path("shallow.json").write_text(capsys.readouterr().out)

    for form in ("terminal", "json"):
        assert main(["compare", "release", "shallow.json", "--format", form]) == 3
        said = capsys.readouterr()
        assert "cannot be compared: " in said.err
        assert "2 layers, a profile needs 4" in said.err
        assert said.out == ""


def test_neither_of_two_compared_checkpoints_is_called_a_reference(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", "release", "release"]) == 0
    assert "reference" not in capsys.readouterr().out


@pytest.mark.parametrize("command", ["check", "fingerprint"])
def test_a_signature_is_no_checkpoint(
    workspace: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    main(["fingerprint", "release", "-o", "release.json"])

    assert main([command, "release.json"]) == 2
    assert "`fpcheck compare` takes signatures" in capsys.readouterr().err


def test_a_folder_is_named_as_one_where_a_file_is_wanted(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "release", "--config", "."]) == 2
    assert "it is a folder, not a policy" in capsys.readouterr().err
    assert main(["fingerprint", "release", "-o", ".."]) == 2
    assert "..: a folder, not a file" in capsys.readouterr().err


def test_a_malformed_signature_can_be_written_again(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("x.json").write_text('{"format": "fpcheck.signature/1"}')

    assert main(["compare", "x.json", "release"]) == 2
    said = capsys.readouterr().err
    assert "x.json: recipe: missing" in said
    assert "write the file again with `fpcheck fingerprint`" in said


def test_output_that_is_full_is_no_defect(workspace: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = run("fingerprint", "release", stdout=full)

    assert done.returncode == 3
    assert done.stderr.startswith("fpcheck: cannot write to standard output: No space left")


def test_a_declared_id_that_is_nearly_a_references_is_noted(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add("release", "acme/model-7b", "--parent", "acme/base")
    policy = "version: 1\nlibrary: [references]\ndeclared: [acme/base, ACME/Model-7B, other/one]\n"
    Path("fpcheck.yml").write_text(policy)
    capsys.readouterr()

    assert main(["check", "release"]) == 1
    assert capsys.readouterr().err == (
        "fpcheck: note: fpcheck.yml: declared[1]: no reference has the id ACME/Model-7B; "
        "did you mean acme/model-7b?\n"
    )


def test_a_summary_has_colours_on_a_terminal_only(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    main(["check", "release"])
    assert capsys.readouterr().out.startswith("PASS")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    main(["check", "release"])
    assert capsys.readouterr().out.startswith("\033[1;32mPASS\033[0m  release")
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            main(["check", "release"])
        assert capsys.readouterr().out.startswith("PASS")


def test_the_verdict_does_not_scroll_off_the_screen(tmp_path: Path) -> None:
    found = a_failing_check(tmp_path)
    (finding,), (note,) = found.verdict.findings, found.verdict.notes
    many = replace(found.verdict, findings=(finding,) * 23, notes=(note,) * 20)

    lines = terminal.render(replace(found, verdict=many)).splitlines()

    assert [line[:6] for line in lines[1:21]] == ["  fail"] * 20
    assert lines[21] == "        and 3 more: see the report"
    assert [line[:6] for line in lines[22:42]] == ["  note"] * 20
    assert lines[42] == ""


def test_long_ids_leave_the_columns_where_they_are(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add("release", "acme/" + "m" * 40 + "/model".replace("/", "-") * 9)
    write(workspace / "other", llama(seed=5))
    add("other", "acme/short")
    capsys.readouterr()

    main(["check", "release", "--library", "references"])

    table = capsys.readouterr().out.split("\n\n")[1].splitlines()
    assert "…" in table[1]
    assert table[0].index("level") == table[1].index("identical")


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


def test_a_model_with_weights_and_figures_is_shown_as_one_document(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add("release", "acme/model")
    path = Path("references/acme/model.json")
    beside = path.with_suffix(".safetensors").read_bytes
    computed = reference.load(path.read_bytes(), "x", beside)
    published = Obtained(How.PUBLISHED, "a paper", digits=3)
    add_reference(Path("references"), replace(computed, obtained=published))
    capsys.readouterr()

    assert main(["library", "show", "acme/model", "--library", "references"]) == 0
    both = json.loads(capsys.readouterr().out)
    assert [item["obtained"]["how"] for item in both] == ["published", "computed"]
    assert main(["library", "show", "acme/modle", "--library", "references"]) == 2
    assert "did you mean acme/model?" in capsys.readouterr().err


def test_what_is_wrong_with_an_addition_is_said(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").write_text("")
    write(workspace / "other", llama(seed=5))

    assert add("release", "acme/model") == 0
    assert add("release", "acme/model") == 0, "the same again"
    assert add("other", "acme/model") == 2
    assert "--replace" in capsys.readouterr().err
    assert add("other", "acme/model", "--replace") == 0
    arguments = ["library", "add", "release", "--id", "acme/model", "--to"]
    assert main([*arguments, "file/x"]) == 2
    assert "file/x/acme: a file is in the folder's place" in capsys.readouterr().err
    assert main([*arguments, "release"]) == 2
    assert "release: not a library" in capsys.readouterr().err
    assert main([*arguments, "references", "--replace", "--parent", "acme/modell"]) == 0
    said = capsys.readouterr().err
    assert "note: --parent acme/modell: not in the library; did you mean acme/model?" in said


def test_attention_that_was_not_measured_is_noted(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("release/extra.bin").write_bytes(b"x" * 10_000)
    Path("release/pytorch_model.bin").write_bytes(b"x" * 10_000)

    add("release", "acme/model")

    assert "fpcheck: note: not measured: pytorch_model.bin" in capsys.readouterr().err


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


def test_a_checkpoint_on_the_hub_is_checked(workspace: Path) -> None:
    """In a process of its own, because the Hub's client reads its settings when it is imported."""
    files = {path.name: path.read_bytes() for path in Path("release").iterdir()}
    add("release", "acme/known")
    command = ["check", "acme/release", "--library", "references", "--format", "json"]
    with HubServer({"acme/release": files}) as server:
        done = subprocess.run(
            [sys.executable, "-m", "fpcheck", *command],
            capture_output=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT), "HF_ENDPOINT": server.endpoint},
        )

    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    commit = report["signature"]["origin"]["commit"]
    assert report["level"] == "identical"
    assert len(commit) == 40
    assert report["reproduce"].startswith(f"fpcheck check acme/release@{commit}")
