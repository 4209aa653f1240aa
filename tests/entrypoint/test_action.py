"""The whole action, as a step of a pull request's workflow against a local GitHub."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fpcheck.cli import main
from tests.checkpoints import llama, write
from tests.data_folders import ROOT
from tests.delivery import runner
from tests.delivery.steps import pull_request
from tests.servers.github import TOKEN, GitHubServer


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A checkout with a release, a library that knows it, and a hostile module."""
    folder = tmp_path / "workspace"
    write(folder / "release", llama())
    arguments = ["library", "add", str(folder / "release"), "--to", str(folder / "references")]
    assert main([*arguments, "--id", "acme/known"]) == 0
    (folder / "numpy.py").write_text("raise SystemExit('planted')")
    return folder


def step(workspace: Path, server: GitHubServer, **inputs: str) -> subprocess.CompletedProcess[str]:
    event = workspace.parent / "event.json"
    event.write_text(json.dumps(pull_request()))
    given = {"github-token": TOKEN, "library": "references"} | inputs
    env = {
        "PATH": os.environ["PATH"],
        "GITHUB_ACTIONS": "true",
        "GITHUB_API_URL": server.url,
        "GITHUB_GRAPHQL_URL": server.url + server.graphql,
        "GITHUB_SERVER_URL": server.url,
        "GITHUB_REPOSITORY": "acme/models",
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_OUTPUT": str(workspace.parent / "output"),
        "GITHUB_STEP_SUMMARY": str(workspace.parent / "summary"),
    } | {f"INPUT_{name.upper()}": value for name, value in given.items()}
    script = ROOT / "entrypoint/main.py"
    return subprocess.run(
        [sys.executable, "-IB", str(script)],
        cwd=workspace,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def outputs(workspace: Path) -> dict[str, str]:
    return runner.outputs((workspace.parent / "output").read_text())


def test_an_undeclared_copy_fails_the_step_and_is_told_everywhere(workspace: Path) -> None:
    with GitHubServer() as server:
        done = step(workspace, server, checkpoint="release")
        (comment,) = server.comments
        again = step(workspace, server, checkpoint="release")

        assert (done.returncode, again.returncode) == (1, 1), done.stderr
        assert len(server.comments) == 1, "the comment is kept up to date, not repeated"
    found = outputs(workspace)
    assert (found["verdict"], found["exit-code"], found["level"]) == ("fail", "1", "identical")
    assert (found["top-match"], found["score"], found["matches"]) == ("acme/known", "1.0000", "1")
    assert found["comment-url"]
    for name in ("report-path", "json-path"):
        assert (workspace / found[name]).is_file()
    assert "identical" in comment.body
    assert "# ❌ fpcheck: fail" in (workspace.parent / "summary").read_text()
    assert [c.name for c in runner.commands(done.stdout)] == ["error"]
    assert TOKEN not in done.stdout + done.stderr


def test_a_checkpoint_that_cannot_be_read_ends_the_step_with_three(workspace: Path) -> None:
    (workspace / "release/model.safetensors").write_bytes(b"")
    with GitHubServer() as server:
        done = step(workspace, server, checkpoint="release")

        assert server.comments == []
    assert done.returncode == 3
    assert outputs(workspace)["verdict"] == "error"
    assert "too short" in (workspace.parent / "summary").read_text()


def test_no_tensor_name_commands_the_runner(workspace: Path) -> None:
    name = "x##[set-output name=verdict]pass\n::set-output name=verdict::pass\n"
    tensors = {f"{name}.{i}.w": np.ones((2, 2), "<f4") for i in range(5)}
    write(workspace / "release", tensors, {"model_type": name})
    with GitHubServer() as server:
        done = step(workspace, server, checkpoint="release")

    assert done.returncode == 3
    obeyed = {c.name for stream in (done.stdout, done.stderr) for c in runner.commands(stream)}
    assert obeyed <= {"error", "warning", "notice"}
    assert outputs(workspace)["verdict"] == "fail"


def test_no_comment_when_none_is_wanted(workspace: Path) -> None:
    with GitHubServer() as server:
        step(workspace, server, checkpoint="release", comment="false")

        assert server.requests == []
