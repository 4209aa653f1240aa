"""A step of a workflow run, for tests: its event, its environment, its time."""

from __future__ import annotations

from typing import Any

from fpcheck.delivery.github_comment import CommentResult, post_comment
from fpcheck.delivery.github_event import GitHub
from tests.servers.github import TOKEN, GitHubServer


class Time:
    """A clock that only sleeping moves, and that remembers every sleep."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, list[float]()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now


def pull_request(head: str | None = "acme/models", number: object = 7) -> dict[str, Any]:
    repo = {"full_name": head} if head else None
    return {
        "pull_request": {
            "number": number,
            "head": {"repo": repo},
            "base": {"repo": {"full_name": "acme/models"}},
        }
    }


def step(server: GitHubServer, **changes: Any) -> GitHub:
    known = {"repository": "acme/models", "event_name": "pull_request", "event": pull_request()}
    urls = {"api_url": server.url + server.rest, "graphql_url": server.url + server.graphql}
    return GitHub(**(known | urls | {"token": TOKEN} | changes))


def post(server: GitHubServer, body: str = "# Report", **changes: Any) -> CommentResult:
    key = changes.pop("key", "")
    time = changes.pop("time", Time())
    result = post_comment(
        step(server, **changes), body, key=key, sleep=time.sleep, clock=time.clock
    )
    assert TOKEN not in repr(result)
    return result
