"""A GitHub of one repository: pull-request comments over GraphQL and REST, in memory."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self

BOT = "github-actions"
TOKEN = "ghs_0123456789abcdefTOKEN"  # made up


@dataclass
class Comment:
    id: int
    body: str
    author: str = BOT


@dataclass(frozen=True)
class Answer:
    status: int
    content: Any
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    authorization: str
    content: Any


class GitHubServer:
    """Start it with `with`. `answers` are given, one a request, before GitHub's own resume."""

    def __init__(self, base: str = "", repository: str = "acme/models", number: int = 7) -> None:
        self.repository, self.number = repository, number
        self.rest = base
        self.graphql = base.removesuffix("/v3") + "/graphql"
        self.comments: list[Comment] = []
        self.answers: list[Answer] = []
        self.requests: list[Request] = []
        self.next_id = 3_000_000_000  # GitHub's ids left 32 bits behind
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def add(self, body: str, author: str = BOT) -> Comment:
        self.next_id += 1
        self.comments.append(Comment(self.next_id, body, author))
        return self.comments[-1]

    def methods(self) -> list[str]:
        """What was asked, in order: LIST for a page of the listing."""
        return ["LIST" if r.path == self.graphql else r.method for r in self.requests]

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        if self.answers:
            return self.answers.pop(0)
        if request.authorization != f"Bearer {TOKEN}":
            return Answer(401, {"message": "Bad credentials"})
        if request.path == self.graphql:
            return Answer(200, {"data": self._page(request.content["variables"])})
        return self._write(request)

    def _page(self, variables: dict[str, Any]) -> dict[str, Any]:
        if f"{variables['owner']}/{variables['name']}" != self.repository:
            return {"repository": None}
        if variables["number"] != self.number:
            return {"repository": {"pullRequest": None}}
        start = int(variables["after"] or 0)
        stop = start + 100
        page = {
            "nodes": [self._node(comment) for comment in self.comments[start:stop]],
            "pageInfo": {"hasNextPage": stop < len(self.comments), "endCursor": str(stop)},
        }
        return {"repository": {"pullRequest": {"comments": page}}}

    def _node(self, comment: Comment) -> dict[str, Any]:
        mine = comment.author == BOT
        return {"url": self._address(comment), "body": comment.body, "viewerDidAuthor": mine}

    def _address(self, comment: Comment) -> str:
        return f"{self.url}/{self.repository}/pull/{self.number}#issuecomment-{comment.id}"

    def _write(self, request: Request) -> Answer:
        issues = f"{self.rest}/repos/{self.repository}/issues"
        body = request.content["body"]
        if len(body) > 65_536:
            return Answer(422, {"message": "Body is too long (maximum is 65536 characters)"})
        if request.method == "POST" and request.path == f"{issues}/{self.number}/comments":
            return Answer(201, {"html_url": self._address(self.add(body))})
        found = re.fullmatch(re.escape(f"{issues}/comments/") + r"(\d+)", request.path)
        for comment in self.comments:
            if request.method == "PATCH" and found and comment.id == int(found[1]):
                comment.body = body
                return Answer(200, {"html_url": self._address(comment)})
        return Answer(404, {"message": "Not Found"})


def _handler(github: GitHubServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            authorization = self.headers.get("Authorization", "")
            self._give(
                github.answer(Request(self.command, self.path, authorization, json.loads(content)))
            )

        do_PATCH = do_POST  # noqa: N815 — the standard library's name

        def _give(self, answer: Answer) -> None:
            text = answer.content if isinstance(answer.content, str) else json.dumps(answer.content)
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(text.encode())))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 — inherited
            """Say nothing: the tests look at `requests`."""

    return Handler
