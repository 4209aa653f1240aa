"""A local server that answers like the Hugging Face Hub: listings, ranges, storage elsewhere.

with HubServer({"owner/name": {"config.json": b"{}"}}) as hub:
    HubSource(HubId("owner/name"), endpoint=hub.endpoint)

Safetensors files are large files, as on the Hub: with `storage=True` their links lead to a second
origin and are signed. `fail` makes the next answers go wrong, one way or another.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from tests.servers.origin import Answer, Origin, Request, ranged

Files = Mapping[str, bytes]
ROUTES = {
    "api": re.compile(r"/api/models/([^/]+/[^/]+)(?:/revision/([^/]+))?"),
    "resolve": re.compile(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)"),
    "storage": re.compile(r"/storage/([^/]+/[^/]+)/([^/]+)/(.+)"),
}


@dataclass(frozen=True)
class Fault:
    """How an answer goes wrong; `headers` replace those of the right answer."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    cut_after: int | None = None
    ignore_range: bool = False
    repeat: int = 1
    pause: float = 0.0

    def spoil(self, answer: Answer) -> Answer:
        return Answer(
            self.status or answer.status,
            answer.body if self.body is None else self.body,
            {**answer.headers, **self.headers},
            self.cut_after,
            self.repeat,
            self.pause,
        )


class HubServer:
    """Repositories by id, each a mapping or a folder of files, on 127.0.0.1.

    `where`, in `fail` and `seen`, is "api", "resolve" or "storage".
    """

    def __init__(
        self, repositories: Mapping[str, Files | Path] | None = None, *, storage: bool = False
    ) -> None:
        self.requests: list[tuple[str, Request]] = []
        self.gated: set[str] = set()
        self.tokens: dict[str, str] = {}  # a private repository and the token that opens it
        self.edit_listing: Callable[[dict[str, Any]], Any] = lambda listing: listing
        self._commits: dict[str, dict[str, Files]] = {}
        self._branches: dict[str, dict[str, str]] = {}
        self._faults: list[tuple[str, Fault]] = []
        self._signature = 0
        for repo, files in (repositories or {}).items():
            self.push(repo, files)
        self._origins = [Origin(self._answer) for _ in range(1 + storage)]
        self.endpoint, self.storage_endpoint = self._origins[0].url, self._origins[-1].url

    def push(self, repo: str, files: Files | Path, branch: str = "main") -> str:
        """Commit `files` to a branch, which moves; older commits stay readable."""
        content = _read_folder(files) if isinstance(files, Path) else dict(files)
        commit = hashlib.sha1(repr((repo, sorted(content.items()))).encode()).hexdigest()
        self._commits.setdefault(repo, {})[commit] = content
        self._branches.setdefault(repo, {})[branch] = commit
        return commit

    def fail(self, where: str, fault: Fault, times: int = 1) -> None:
        """Let the next `times` answers of that kind go wrong, after faults set before."""
        self._faults += [(where, fault)] * times

    def expire_links(self) -> None:
        """Make every signed link handed out so far invalid."""
        self._signature += 1

    def seen(self, where: str) -> list[Request]:
        """The requests of one kind so far, in order."""
        return [request for place, request in self.requests if place == where]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        for origin in self._origins:
            origin.stop()

    def _answer(self, request: Request) -> Answer:
        path = urlsplit(request.path).path
        for where, route in ROUTES.items():
            if found := route.fullmatch(path):
                self.requests.append((where, request))
                fault = self._fault(where)
                if fault.ignore_range:
                    request = replace(request, headers={**request.headers, "range": ""})
                return fault.spoil(getattr(self, f"_{where}")(request, *found.groups()))
        self.requests.append(("elsewhere", request))
        return Answer(404)

    def _fault(self, where: str) -> Fault:
        due = next((item for item in self._faults if item[0] == where), (where, Fault()))
        if due in self._faults:
            self._faults.remove(due)
        return due[1]

    def _api(self, request: Request, repo: str, revision: str | None) -> Answer:
        commit = self._commit(request, repo, revision or "main")
        if isinstance(commit, Answer):
            return commit
        blobs = "blobs=" in request.path
        siblings = [_sibling(name, c, blobs) for name, c in self._commits[repo][commit].items()]
        listing = {"id": repo, "sha": commit, "private": False, "siblings": siblings}
        return Answer(200, json.dumps(self.edit_listing(listing)).encode())

    def _resolve(self, request: Request, repo: str, revision: str, quoted: str) -> Answer:
        commit = self._commit(request, repo, revision)
        if isinstance(commit, Answer):
            return commit
        if repo in self.gated:
            return _refusal(403, "GatedRepo")
        content = self._commits[repo][commit].get(unquote(quoted))
        if content is None:
            return _refusal(404, "EntryNotFound")
        identity = {"X-Repo-Commit": commit, "ETag": f'"{_tag(quoted, content)}"'}
        if not _is_large(quoted) or len(self._origins) == 1:
            return ranged(request, content, identity)
        link = f"{self.storage_endpoint}/storage/{repo}/{commit}/{quoted}"
        linked = {"X-Linked-Etag": identity["ETag"], "X-Linked-Size": str(len(content))}
        place = {"Location": f"{link}?Signature=secret{self._signature}", "ETag": '"a-link"'}
        return Answer(302, headers={**identity, **linked, **place})

    def _storage(self, request: Request, repo: str, commit: str, quoted: str) -> Answer:
        if not request.path.endswith(f"?Signature=secret{self._signature}"):
            return Answer(403)
        content = self._commits[repo][commit][unquote(quoted)]
        return ranged(request, content, {"ETag": '"what-storage-calls-it"'})

    def _commit(self, request: Request, repo: str, revision: str) -> str | Answer:
        """The commit that a revision means, or the Hub's refusal."""
        token = self.tokens.get(repo)
        given = request.headers.get("authorization", "")
        if repo not in self._commits or (token and given != f"Bearer {token}"):
            return _refusal(401, "RepoNotFound")
        wanted = unquote(revision)
        commit = self._branches[repo].get(wanted, wanted)
        return commit if commit in self._commits[repo] else _refusal(404, "RevisionNotFound")


def git_blob(content: bytes) -> str:
    """The id that git gives a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _refusal(status: int, code: str) -> Answer:
    return Answer(status, headers={"X-Error-Code": code})


def _is_large(name: str) -> bool:
    return name.endswith(".safetensors")


def _tag(name: str, content: bytes) -> str:
    return hashlib.sha256(content).hexdigest() if _is_large(name) else git_blob(content)


def _sibling(name: str, content: bytes, blobs: bool) -> dict[str, Any]:
    if not blobs:
        return {"rfilename": name}
    entry = {"rfilename": name, "size": len(content), "blobId": git_blob(content)}
    if _is_large(name):
        entry["lfs"] = {"size": len(content), "sha256": _tag(name, content), "pointerSize": 134}
    return entry


def _read_folder(folder: Path) -> Files:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}
