"""What the runner says about a run: the repository, the pull request, what the token may do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

MAX_EVENT_BYTES = 32 << 20  # GitHub's own limit is 25 MB
DEPENDABOT = "dependabot[bot]"
QUEUED = re.compile(r"/pr-(\d{1,18})-[0-9a-f]{40,64}\Z")
TOKEN = re.compile(r"[\x21-\x7e]+")  # anything else is quoted in the HTTP client's own errors
REPOSITORY = re.compile(r"[A-Za-z0-9][\w-]{0,99}/(?!\.{1,2}\Z)[\w.-]{1,100}", re.ASCII)


@dataclass(frozen=True)
class GitHub:
    """One step of one workflow run. `event` is hostile: a stranger's pull request fills it."""

    repository: str
    event_name: str
    event: Mapping[str, Any] = field(default_factory=dict, repr=False)
    actor: str = ""
    token: str = field(default="", repr=False)
    api_url: str = "https://api.github.com"
    graphql_url: str = "https://api.github.com/graphql"
    output_file: Path | None = None
    summary_file: Path | None = None

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> Self | None:
        """The step that this process runs in; None outside GitHub Actions."""
        if env.get("GITHUB_ACTIONS") != "true":
            return None
        api = env.get("GITHUB_API_URL", "").rstrip("/") or cls.api_url
        return cls(
            repository=env.get("GITHUB_REPOSITORY", ""),
            event_name=env.get("GITHUB_EVENT_NAME", ""),
            event=_read_event(env.get("GITHUB_EVENT_PATH", "")),
            actor=env.get("GITHUB_ACTOR", ""),
            token=env.get("GITHUB_TOKEN", "").strip(),
            api_url=api,
            graphql_url=env.get("GITHUB_GRAPHQL_URL", "") or _graphql_url(api),
            output_file=_path(env.get("GITHUB_OUTPUT", "")),
            summary_file=_path(env.get("GITHUB_STEP_SUMMARY", "")),
        )


def dig(value: Any, *path: str) -> Any:
    """What lies at a path of nested JSON objects; None where the path ends early."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def pull_request_number(event_name: str, event: Mapping[str, Any]) -> int | None:
    """The pull request that the run is about; None for a push, a schedule, a release …"""
    find = EVENTS.get(event_name)
    number = find(event) if find else None
    return number if type(number) is int and number > 0 else None


def obstacle(github: GitHub) -> str:
    """Why no comment can be written, known without asking GitHub; "" when one may be."""
    if github.event_name == "pull_request" and github.actor == DEPENDABOT:
        return "a run that Dependabot starts has a read-only token"
    if github.event_name == "pull_request" and _is_fork(github):
        return "a pull request from a fork has a read-only token"
    if not github.token:
        return "there is no token: set the input github-token"
    if not TOKEN.fullmatch(github.token):
        return "the token has characters that no token has: check the input github-token"
    if not REPOSITORY.fullmatch(github.repository):
        return "GITHUB_REPOSITORY is not an owner/name"
    return ""


def _queued_number(event: Mapping[str, Any]) -> int | None:
    """A merge queue names the pull request only in the branch that it makes."""
    found = QUEUED.search(str(dig(event, "merge_group", "head_ref")))
    return int(found[1]) if found else None


def _commented_number(event: Mapping[str, Any]) -> Any:
    """Comments on issues come as the same event; only a pull request's has this link."""
    is_pull_request = dig(event, "issue", "pull_request") is not None
    return dig(event, "issue", "number") if is_pull_request else None


def _own_number(event: Mapping[str, Any]) -> Any:
    return dig(event, "pull_request", "number")


EVENTS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "pull_request": _own_number,
    "pull_request_target": _own_number,
    "issue_comment": _commented_number,
    "merge_group": _queued_number,
}


def _is_fork(github: GitHub) -> bool:
    """A deleted fork leaves no name at all, which counts as one."""
    head = str(dig(github.event, "pull_request", "head", "repo", "full_name"))
    base = str(dig(github.event, "pull_request", "base", "repo", "full_name"))
    return head.lower() != base.lower()


def _read_event(name: str) -> Mapping[str, Any]:
    """The event, or nothing: without one there is no pull request to comment on, and that is all.

    Nothing in it can change a verdict, so that a broken one need not stop a check.
    """
    try:
        with Path(name).open("rb") as file:
            content = file.read(MAX_EVENT_BYTES + 1)
        event = json.loads(content) if len(content) <= MAX_EVENT_BYTES else None
    except (OSError, ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def _graphql_url(api: str) -> str:
    """Where GitHub's GraphQL API is when only the REST API's address is known."""
    return api.removesuffix("/v3") + "/graphql"


def _path(name: str) -> Path | None:
    return Path(name) if name else None
