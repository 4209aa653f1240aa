from __future__ import annotations

from pathlib import Path

from fpcheck.delivery.github import Delivery, deliver
from fpcheck.delivery.github_event import GitHub
from fpcheck.delivery.workflow import OUTPUTS, Annotation
from tests.delivery import runner
from tests.delivery.steps import Time, pull_request, step
from tests.servers.github import TOKEN, Answer, GitHubServer

FORK = pull_request("stranger/models")
RESULT = Delivery(
    outputs={"verdict": "fail", "exit-code": "1"},
    summary="# Fail",
    comment="# Fail",
    annotations=(Annotation("error", "resembles acme/base"),),
)


def delivered(delivery: Delivery, github: GitHub) -> tuple[list[str], tuple[str, ...]]:
    lines: list[str] = []
    time = Time()
    troubles = deliver(delivery, github, emit=lines.append, sleep=time.sleep, clock=time.clock)
    assert TOKEN not in "\n".join([*lines, *troubles])
    return lines, troubles


def files(folder: Path) -> dict[str, Path]:
    return {"output_file": folder / "output", "summary_file": folder / "summary"}


def test_everything_is_delivered(tmp_path: Path):
    with GitHubServer() as server:
        lines, troubles = delivered(RESULT, step(server, **files(tmp_path)))

    assert (lines, troubles) == (["::error::resembles acme/base"], ())
    assert (tmp_path / "summary").read_text() == "# Fail\n"
    outputs = runner.outputs((tmp_path / "output").read_text())
    assert tuple(outputs) == OUTPUTS
    assert (outputs["verdict"], outputs["exit-code"], outputs["level"]) == ("fail", "1", "")
    assert outputs["comment-url"].endswith("/acme/models/pull/7#issuecomment-3000000001")


def test_comment_that_is_not_wanted_is_not_written(tmp_path: Path):
    with GitHubServer() as server:
        _, troubles = delivered(Delivery({"verdict": "pass"}), step(server, **files(tmp_path)))

    assert (troubles, server.requests) == ((), [])
    assert not (tmp_path / "summary").exists()


def test_comment_that_cannot_be_posted_is_a_warning(tmp_path: Path):
    with GitHubServer() as server:
        server.answers = [Answer(403, {"message": "Resource not accessible by integration"})]
        lines, troubles = delivered(RESULT, step(server, **files(tmp_path)))

    assert len(troubles) == 1
    assert [c.name for c in runner.commands("\n".join(lines))] == ["error", "warning"]
    assert runner.outputs((tmp_path / "output").read_text())["comment-url"] == ""


def test_fork_gets_everything_else_and_a_notice(tmp_path: Path):
    with GitHubServer() as server:
        lines, _ = delivered(RESULT, step(server, event=FORK, **files(tmp_path)))

    assert [c.name for c in runner.commands("\n".join(lines))] == ["error", "notice"]
    assert (tmp_path / "summary").exists()


def test_files_are_written_before_github_is_asked(tmp_path: Path):
    with GitHubServer() as server:
        genuine = server.answer

        def look(request):
            assert (tmp_path / "output").exists()
            assert (tmp_path / "summary").exists()
            return genuine(request)

        server.answer = look
        _, troubles = delivered(RESULT, step(server, **files(tmp_path)))

    assert troubles == ()


def test_files_that_cannot_be_written_are_a_warning(tmp_path: Path):
    with GitHubServer() as server:
        _, troubles = delivered(RESULT, step(server, **files(tmp_path / "missing")))

    assert all("outputs and summary are incomplete" in trouble for trouble in troubles)
    assert len(server.comments) == 1


def test_hostile_event_cannot_reach_the_log(tmp_path: Path):
    event = pull_request("::set-output name=verdict::pass")
    github = GitHub("acme/models", "pull_request", event, token=TOKEN, **files(tmp_path))

    lines, _ = delivered(RESULT, github)

    assert {c.name for c in runner.commands("\n".join(lines))} == {"error", "notice"}
