"""A checkpoint on the Hugging Face Hub, read in ranges at one commit; nothing goes to disk."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import quote

from fpcheck.errors import SourceError, UsageError
from fpcheck.source import SourceFile
from fpcheck.source.hub_client import HubClient, Piece, Pinned
from fpcheck.source.hub_listing import list_files
from fpcheck.source.hub_login import log_in
from fpcheck.source.patience import PATIENCE, Patience

# The Hub's own rule: ASCII letters, digits and -_. in between; see also FORBIDDEN.
SEGMENT = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?"
REPOSITORY = re.compile(f"{SEGMENT}/{SEGMENT}")
FORBIDDEN = re.compile(r"\.\.|--|\.git(?:/|$)")
# Branches, tags, commits and refs/pr/1; git allows more, the Hub's users do not need it.
REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*(?:/[A-Za-z0-9_][A-Za-z0-9._+-]*)*")
MAX_REVISION = 255


@dataclass(frozen=True)
class HubId:
    """A repository on the Hub as the user names it; `revision` None is its default branch."""

    repo: str
    revision: str | None = None

    def __str__(self) -> str:
        return f"{self.repo}@{self.revision}" if self.revision else self.repo


def parse_hub_id(text: str) -> HubId:
    """`owner/name` or `owner/name@revision`. Raises UsageError for anything else."""
    repo, at, revision = text.partition("@")
    if (
        not REPOSITORY.fullmatch(repo)
        or FORBIDDEN.search(repo)
        or (at and not _is_revision(revision))
    ):
        raise UsageError(
            f"{text[:200]!r}: neither an existing path nor a Hub id owner/name[@revision]",
            hint=_hint(repo),
        )
    return HubId(repo, revision or None)


def _is_revision(text: str) -> bool:
    return bool(REVISION.fullmatch(text)) and ".." not in text and len(text) <= MAX_REVISION


def _hint(repo: str) -> str:
    if re.fullmatch(SEGMENT, repo):
        return "write owner/name, e.g. openai-community/gpt2 for gpt2; or check the path"
    return "check the path, or name a model on the Hub, e.g. openai-community/gpt2@main"


class HubSource:
    """Files of one repository at the commit that its revision meant when the source was opened.

    Requests go through huggingface_hub's session, so its proxies, certificate authorities, token
    and offline mode hold. They are not the client's own calls: its downloads write a cache, and
    its listing believes whatever a server sends.
    """

    # One request a piece: large enough that the round trip does not count, small enough that
    # `workers` of them fit in memory and a broken one is cheap to ask for again.
    read_size = 8 << 20
    workers = 8

    def __init__(
        self,
        hub_id: HubId,
        *,
        token: str | None = None,
        endpoint: str | None = None,
        patience: Patience = PATIENCE,
    ) -> None:
        """Raises SourceError when the Hub cannot or will not answer, FormatError for what it lists.

        `token` and `endpoint` default to what huggingface_hub finds in the environment.
        """
        login = log_in(token, endpoint)
        self.origin, self._files = list_files(hub_id.repo, hub_id.revision, login, patience)
        self._client = HubClient(login, patience)

    def files(self) -> Mapping[str, SourceFile]:
        return self._files

    def read_into(self, file: str, start: int, view: memoryview) -> None:
        pinned = self._pinned(file)
        if start + len(view) > pinned.file.size:
            raise SourceError(f"{pinned}: ends before byte {start + len(view):,}")
        for offset in range(0, len(view), self.read_size):
            part = view[offset : offset + self.read_size]
            self._client.read(Piece(pinned, start + offset, part))

    def close(self) -> None:
        """Nothing to close: the session is huggingface_hub's, and another source may be reading."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    def _pinned(self, file: str) -> Pinned:
        if file not in self._files:
            raise SourceError(f"{self.origin.name}: {file[:200]!r} is not in the repository")
        # The client's hf_hub_url forgets the endpoint where it is not the environment's as well.
        home, origin = self._client.login.endpoint, self.origin
        url = f"{home}/{origin.name}/resolve/{origin.commit}/{quote(file)}"
        return Pinned(origin, self._files[file], url)
