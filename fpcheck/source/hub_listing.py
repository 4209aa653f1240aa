"""What a repository on the Hub holds: one request that pins a commit and lists its files.

The request is the one of HfApi.model_info, through the same session, but made here: that method
unpacks, reads and parses whatever comes, for as long as it comes, from wherever a redirect leads.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fpcheck.errors import FormatError, SourceError
from fpcheck.source import Origin, SourceFile
from fpcheck.source.hub_answers import refuse_failure
from fpcheck.source.hub_entry import COMMIT, source_file
from fpcheck.source.hub_login import Login
from fpcheck.source.hub_request import refuse_compressed, request
from fpcheck.source.local import MAX_FILES
from fpcheck.source.patience import Patience
from fpcheck.source.redirects import MAX_HOPS, REDIRECTS, redirect_target

if TYPE_CHECKING:
    from httpx2 import Response

# MAX_FILES entries of some 250 bytes are 25 MB; a listing of a few files has some kilobytes.
MAX_BYTES = 32_000_000
# MAX_FILES entries are a million values; parsed, three bytes of "[]," take seventy of memory.
MAX_VALUES = 2_000_000
MAX_SECONDS = 60.0  # for one listing; the stall timeout never ends one that drips
CONNECT_SECONDS = 5.0  # a Hub that is there answers a knock in well under one
ENDPOINT = "check the endpoint, and what stands between it and here"


def list_files(
    repo: str, revision: str | None, login: Login, patience: Patience
) -> tuple[Origin, dict[str, SourceFile]]:
    """The commit that `revision` means now and the files of it, sorted by name.

    Raises SourceError when the Hub cannot or will not say, FormatError for a hostile file name.
    """
    what = f"{repo}@{revision}" if revision else repo
    url = f"{login.endpoint}/api/models/{repo}"
    url += f"/revision/{quote(revision, safe='')}" if revision else ""
    patience = replace(patience, first_contact=True)
    content = patience.insist(what, lambda _: _fetch(what, f"{url}?blobs=true", login, patience))
    commit, found = _parse(what, content)
    files = {file.name: file for file in (source_file(what, entry) for entry in found)}
    if len(files) != len(found):
        raise FormatError(f"{what}: the Hub lists a file twice")
    return Origin(repo, commit), dict(sorted(files.items()))


def _fetch(what: str, url: str, login: Login, patience: Patience) -> bytes:
    """One listing, from where `url` leads."""
    end = patience.clock() + MAX_SECONDS
    for _ in range(MAX_HOPS + 1):
        with request(what, url, login, connect_seconds=CONNECT_SECONDS) as response:
            if response.status_code not in REDIRECTS:
                refuse_failure(what, response)
                return _body(what, response, patience, end)
            location = response.headers.get("location", "")
            url = redirect_target(what, url, location, login.endpoint)
    raise SourceError(f"{what}: more than {MAX_HOPS} redirects", hint=ENDPOINT)


def _body(what: str, response: Response, patience: Patience, end: float) -> bytes:
    refuse_compressed(what, response)
    content = bytearray()
    for chunk in response.iter_raw():
        content += chunk
        if len(content) > MAX_BYTES:
            raise SourceError(f"{what}: a listing of more than {MAX_BYTES:,} bytes", hint=ENDPOINT)
        if patience.clock() > end:
            raise SourceError(
                f"{what}: the listing took more than {MAX_SECONDS:.0f} seconds", hint=ENDPOINT
            )
    return bytes(content)


def _parse(what: str, content: bytes) -> tuple[str, list[Any]]:
    """The commit and the entries of a listing, the entries as they came."""
    if sum(content.count(mark) for mark in (b",", b"[", b"{")) > MAX_VALUES:
        raise SourceError(f"{what}: a listing of more than {MAX_VALUES:,} values", hint=ENDPOINT)
    try:
        listing = json.loads(content.decode())
        commit, found = listing["sha"], listing["siblings"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise SourceError(
            f"{what}: the answer is not a listing of a model", hint=ENDPOINT
        ) from None
    if not isinstance(commit, str) or not COMMIT.fullmatch(commit) or type(found) is not list:
        raise SourceError(f"{what}: the Hub names no commit, or no files of it", hint=ENDPOINT)
    if len(found) > MAX_FILES:
        raise FormatError(f"{what}: more than {MAX_FILES:,} files")
    return commit, found
