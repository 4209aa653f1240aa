"""Ranges of the Hub's files: one commit, checked answers, redirects followed by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fpcheck.errors import SourceError
from fpcheck.source import Origin, SourceFile
from fpcheck.source.hub_answers import HUB, STORAGE, refuse_failure
from fpcheck.source.hub_login import Login
from fpcheck.source.hub_request import refuse_compressed, request
from fpcheck.source.patience import Patience, TemporaryError
from fpcheck.source.redirects import MAX_HOPS, REDIRECTS, redirect_target, same_origin

if TYPE_CHECKING:
    from httpx2 import Response

EXPIRED = frozenset({401, 403, 404, 410})  # what storage answers to a signed link of yesterday
CHANGED = "the file changed since it was listed, or a proxy altered the answer; check again"


@dataclass(frozen=True)
class Pinned:
    """One file at one commit: where it is, and what every answer about it must agree with."""

    origin: Origin
    file: SourceFile
    url: str

    def __str__(self) -> str:
        return f"{self.origin.name}/{self.file.name}"


@dataclass(frozen=True)
class Piece:
    """The bytes of a pinned file from `start` on, as many as `view` has room for."""

    pinned: Pinned
    start: int
    view: memoryview

    @property
    def range(self) -> str:
        return f"{self.start}-{self.start + len(self.view) - 1}"


@dataclass(frozen=True)
class HubClient:
    """Ranged GETs below one endpoint, through huggingface_hub's own session. Thread-safe.

    The login may hold the user's token, so its headers go to the endpoint's own origin alone.
    """

    login: Login
    patience: Patience = field(repr=False)
    # Where a file's link led the last time: asking the Hub again for every piece costs its quota.
    targets: dict[str, str] = field(default_factory=dict, repr=False)

    def read(self, piece: Piece) -> None:
        """Fill the piece's view. Raises SourceError."""
        self.patience.insist(str(piece.pinned), lambda end: self._attempt(piece, end))

    def _attempt(self, piece: Piece, end: float) -> None:
        link = piece.pinned.url
        known = self.targets.get(link)
        if known is None or not self._follow(known, piece, end, may_expire=True):
            self.targets.pop(link, None)
            self._follow(link, piece, end)

    def _follow(self, url: str, piece: Piece, end: float, *, may_expire: bool = False) -> bool:
        """Read the piece from where `url` leads; False when the link has expired, as it may."""
        what, headers = str(piece.pinned), {"range": f"bytes={piece.range}"}
        for _ in range(MAX_HOPS + 1):
            with request(what, url, self.login, headers) as response:
                if may_expire and response.status_code in EXPIRED:
                    return False
                self._check_identity(response, url, piece.pinned)
                if response.status_code not in REDIRECTS:
                    self._take(response, url, piece, end)
                    return True
                location = response.headers.get("location", "")
                url = redirect_target(what, url, location, self.login.endpoint)
        raise SourceError(f"{what}: more than {MAX_HOPS} redirects", hint=CHANGED)

    def _check_identity(self, response: Response, url: str, pinned: Pinned) -> None:
        """Hold the endpoint to the commit and digest that it listed; storage names neither."""
        if response.status_code >= 400 or not same_origin(url, self.login.endpoint):
            return
        commit = response.headers.get("x-repo-commit", pinned.origin.commit)
        if commit != pinned.origin.commit:
            raise SourceError(f"{pinned}: not from commit {pinned.origin.commit}", hint=CHANGED)
        # A redirect's own ETag is not the file's.
        final = response.headers.get("etag") if response.is_success else None
        tag = (response.headers.get("x-linked-etag") or final or "").removeprefix("W/").strip('"')
        listed = (pinned.file.digest or tag).rpartition(":")[2]
        if tag and tag != listed:
            raise SourceError(f"{pinned}: ETag {tag[:70]!r}, listed as {listed}", hint=CHANGED)

    def _take(self, response: Response, url: str, piece: Piece, end: float) -> None:
        who = HUB if same_origin(url, self.login.endpoint) else STORAGE
        refuse_failure(str(piece.pinned), response, who)
        _check_range(response, piece)
        self._fill(response, piece, end)
        if url != piece.pinned.url:
            self.targets[piece.pinned.url] = url

    def _fill(self, response: Response, piece: Piece, end: float) -> None:
        view = piece.view
        for chunk in response.iter_raw():
            if len(chunk) > len(view):
                raise SourceError(f"{piece.pinned}: more bytes than asked for", hint=CHANGED)
            view[: len(chunk)] = chunk
            view = view[len(chunk) :]
            if len(view) and self.patience.clock() > end:
                raise TemporaryError("the bytes come too slowly")
        if len(view):
            raise TemporaryError("the answer ended early")


def _check_range(response: Response, piece: Piece) -> None:
    """Refuse an answer that is not exactly the asked range, before its body is read."""
    refuse_compressed(str(piece.pinned), response)
    headers, size = response.headers, piece.pinned.file.size
    if response.status_code == 200 and len(piece.view) == size:
        given, wanted = headers.get("content-length", str(size)), str(size)
    elif response.status_code == 206:
        given, wanted = headers.get("content-range", ""), f"bytes {piece.range}/{size}"
    else:
        raise SourceError(
            f"{piece.pinned}: the server ignores ranges (it answered {response.status_code})",
            hint="download the checkpoint, or use an endpoint that serves ranges",
        )
    if given != wanted:
        raise SourceError(f"{piece.pinned}: {given[:60]!r} instead of {wanted!r}", hint=CHANGED)
