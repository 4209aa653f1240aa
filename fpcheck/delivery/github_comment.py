"""One comment on a pull request, rewritten by each run instead of repeated."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from fpcheck.delivery.budget import fit
from fpcheck.delivery.github_api import Api, RefusedError
from fpcheck.delivery.github_event import GitHub, dig, obstacle, pull_request_number
from fpcheck.errors import SourceError
from fpcheck.source.patience import Patience
from fpcheck.text import visible

MAX_BODY = 60_000  # characters; GitHub refuses a comment of more than 65,536
MAX_PAGES = 100  # of 100 comments each
TRIES, SECONDS = 3, 60.0  # a comment is not worth more of a release's time
KEY = re.compile(r"[0-9a-f]{0,64}")
COMMENT_ID = re.compile(r"#issuecomment-(\d{1,20})\Z")
# The id is read off the address: `databaseId` ends at 2^31, and `fullDatabaseId` is too new for
# some servers of one's own.
LISTING = """
query($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) { pullRequest(number: $number) {
    comments(first: 100, after: $after) {
      nodes { url body viewerDidAuthor }
      pageInfo { hasNextPage endCursor }
    }
  } }
}
"""


@dataclass(frozen=True)
class CommentResult:
    """Where the comment is, or why there is none: `level` is how loudly to say so."""

    url: str | None
    notice: str = ""
    level: str = "warning"


@dataclass(frozen=True)
class _Comment:
    id: str
    url: str
    body: str


def marker(key: str = "") -> str:
    """How a comment of fpcheck's begins; `key` (hex) tells several checkpoints apart."""
    if not KEY.fullmatch(key):
        raise ValueError(f"not a hex digest: {key!r}")
    return f"<!-- fpcheck:{key} -->" if key else "<!-- fpcheck -->"


def post_comment(
    github: GitHub,
    markdown: str,
    *,
    key: str = "",
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> CommentResult:
    """Create or rewrite this checkpoint's comment. GitHub's troubles become a notice."""
    number = pull_request_number(github.event_name, github.event)
    if number is None:
        return CommentResult(None)
    known = obstacle(github)
    if known:
        return CommentResult(None, f"no comment on the pull request: {known}", "notice")
    body = fit(f"{marker(key)}\n{markdown}", MAX_BODY)
    try:
        url = _insist(github, number, marker(key), body, Patience(TRIES, SECONDS, sleep, clock))
    except (RefusedError, SourceError) as error:
        said = str(error).replace(github.token, "***")  # whatever a server may have echoed
        return CommentResult(None, f"no comment on the pull request: {said}")
    return CommentResult(visible(url))


def _insist(github: GitHub, number: int, start: str, body: str, patience: Patience) -> str:
    """The comment's address, however many attempts it takes.

    An attempt begins with the listing: one whose answer was lost may have left its comment there.
    """
    import requests

    with requests.Session() as session:
        return patience.insist(
            "GitHub's API",
            lambda deadline: _upsert(
                Api(github, session, patience.clock, deadline), number, start, body
            ),
        )


def _upsert(api: Api, number: int, start: str, body: str) -> str:
    mine = next((c for c in _own_comments(api, number) if c.body.startswith(start)), None)
    if mine is None:
        answer = api.rest("POST", f"issues/{number}/comments", {"body": body})
    elif _same(mine.body, body):
        return mine.url
    else:
        answer = api.rest("PATCH", f"issues/comments/{mine.id}", {"body": body})
    return str(dig(answer, "html_url") or "")


def _own_comments(api: Api, number: int) -> Iterator[_Comment]:
    """Comments that the token's owner wrote, oldest first; anybody can write anything else."""
    for node in _comments(api, number):
        address, body = str(dig(node, "url")), dig(node, "body")
        found = COMMENT_ID.search(address)
        if found and isinstance(body, str) and dig(node, "viewerDidAuthor") is True:
            yield _Comment(found[1], address, body)


def _comments(api: Api, number: int) -> Iterator[Any]:
    """Every comment of the pull request, page after page."""
    after: Any = None
    for _ in range(MAX_PAGES):
        data = api.graphql(LISTING, api.about(number) | {"after": after})
        page = dig(data, "repository", "pullRequest", "comments")
        nodes = dig(page, "nodes")
        if not isinstance(nodes, list):
            raise RefusedError("GitHub does not list the pull request's comments")
        yield from nodes
        if dig(page, "pageInfo", "hasNextPage") is not True:
            return
        after = dig(page, "pageInfo", "endCursor")
    raise RefusedError(f"the pull request has more than {100 * MAX_PAGES:,} comments")


def _same(old: str, new: str) -> bool:
    """GitHub may store other line ends than it was given."""
    return old.replace("\r\n", "\n").rstrip() == new.rstrip()
