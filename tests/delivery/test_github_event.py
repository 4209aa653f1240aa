from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpcheck.delivery.github_event import GitHub, obstacle, pull_request_number
from tests.delivery.steps import pull_request

KEYS = st.sampled_from(["pull_request", "number", "issue", "merge_group", "head_ref", "head"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
    max_leaves=10,
)
EVENTS = ["pull_request", "pull_request_target", "issue_comment", "merge_group", "push"]


@pytest.mark.parametrize(
    ("name", "event", "number"),
    [
        ("pull_request", pull_request(), 7),
        ("pull_request_target", pull_request(), 7),
        ("issue_comment", {"issue": {"number": 8, "pull_request": {"url": "…"}}}, 8),
        ("issue_comment", {"issue": {"number": 8}}, None),
        ("merge_group", {"merge_group": {"head_ref": f"refs/heads/q/main/pr-9-{'a' * 40}"}}, 9),
        ("merge_group", {"merge_group": {"head_ref": "refs/heads/q/main/pr-9-main"}}, None),
        ("push", {"number": 7}, None),
        ("schedule", {}, None),
        ("release", {}, None),
        ("pull_request", {}, None),
        ("pull_request", pull_request(number=True), None),
        ("pull_request", pull_request(number="7"), None),
        ("pull_request", pull_request(number=-7), None),
    ],
)
def test_pull_request_is_found_where_each_event_keeps_it(name, event, number):
    assert pull_request_number(name, event) == number


@given(st.sampled_from(EVENTS), st.dictionaries(KEYS, JSON))
def test_no_event_can_break_the_search(name, event):
    found = pull_request_number(name, event)

    assert found is None or found > 0


def github(**changes) -> GitHub:
    known = {"repository": "acme/models", "event_name": "pull_request", "event": pull_request()}
    return GitHub(**(known | {"token": "ghs_x"} | changes))


def test_own_pull_request_with_a_token_has_no_obstacle():
    assert obstacle(github()) == ""


@pytest.mark.parametrize("head", ["stranger/models", None])
def test_fork_is_known_beforehand(head):
    assert "fork" in obstacle(github(event=pull_request(head)))


def test_owner_is_compared_as_github_does_without_case():
    assert obstacle(github(event=pull_request("Acme/Models"))) == ""


def test_fork_may_be_commented_on_where_the_base_runs_the_workflow():
    event = pull_request("stranger/models")

    assert obstacle(github(event=event, event_name="pull_request_target")) == ""


def test_dependabot_is_known_beforehand():
    assert "Dependabot" in obstacle(github(actor="dependabot[bot]"))


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "smörgås"])
def test_token_that_cannot_be_one_is_an_obstacle_that_does_not_show_it(token):
    said = obstacle(github(token=token))

    assert "github-token" in said
    assert not token or token not in said


@pytest.mark.parametrize(
    "repository", ["", "acme", "acme/..", "acme/.", "a/b/c", "acme/x?y", "../x", "acme/x\n", "é/x"]
)
def test_repository_that_would_change_the_path_is_an_obstacle(repository):
    assert "GITHUB_REPOSITORY" in obstacle(github(repository=repository))


@pytest.mark.parametrize("repository", ["acme/models", "a_corp/x.y", "a/.github", "a/..."])
def test_every_real_name_of_a_repository_is_accepted(repository):
    assert obstacle(github(repository=repository)) == ""


def test_outside_github_actions_there_is_no_step():
    assert GitHub.from_environment({"GITHUB_REPOSITORY": "acme/models"}) is None


def test_environment_is_read_verbatim(tmp_path: Path):
    (tmp_path / "event.json").write_text(json.dumps(pull_request()))

    step = GitHub.from_environment(
        {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": "https://git.corp.example/api/v3",
            "GITHUB_GRAPHQL_URL": "https://git.corp.example/api/graphql",
            "GITHUB_REPOSITORY": "acme/models",
            "GITHUB_EVENT_NAME": "pull_request",
            "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
            "GITHUB_ACTOR": "ada",
            "GITHUB_TOKEN": " ghs_x\n",
            "GITHUB_OUTPUT": "/out",
            "GITHUB_STEP_SUMMARY": "/summary",
        }
    )

    assert step == GitHub(
        repository="acme/models",
        event_name="pull_request",
        event=pull_request(),
        actor="ada",
        token="ghs_x",
        api_url="https://git.corp.example/api/v3",
        graphql_url="https://git.corp.example/api/graphql",
        output_file=Path("/out"),
        summary_file=Path("/summary"),
    )


@pytest.mark.parametrize(
    ("api", "graphql"),
    [
        ("", "https://api.github.com/graphql"),
        ("https://api.acme.ghe.com", "https://api.acme.ghe.com/graphql"),
        ("https://git.corp.example/api/v3", "https://git.corp.example/api/graphql"),
    ],
)
def test_graphql_address_follows_from_the_other_when_it_is_not_given(api, graphql):
    step = GitHub.from_environment({"GITHUB_ACTIONS": "true", "GITHUB_API_URL": api})

    assert step is not None
    assert step.graphql_url == graphql


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_broken_event_is_an_event_without_a_pull_request(tmp_path: Path, content: bytes):
    (tmp_path / "event.json").write_bytes(content)
    env = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": str(tmp_path / "event.json")}

    step = GitHub.from_environment(env)

    assert step is not None
    assert step.event == {}


def test_token_is_not_shown():
    assert "ghs_x" not in repr(github())
