"""What a repository on the Hub holds: one request that pins a commit and lists its files."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from fpcheck.errors import FormatError, SourceError
from fpcheck.source import Origin, SourceFile
from fpcheck.source.hub_answers import network_errors
from fpcheck.source.hub_client import STALL_SECONDS
from fpcheck.source.hub_login import Login
from fpcheck.source.local import MAX_FILES
from fpcheck.source.patience import Patience

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo, RepoSibling

COMMIT = re.compile(r"[0-9a-f]{40}")
SHA256 = re.compile(r"[0-9a-f]{64}")
# Control, formatting (bidi among them), half characters, line and paragraph separators.
UNSHOWABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def list_files(
    repo: str, revision: str | None, login: Login, patience: Patience
) -> tuple[Origin, dict[str, SourceFile]]:
    """The commit that `revision` means now and the files of it, sorted by name.

    Raises SourceError when the Hub cannot or will not say, FormatError for a hostile file name.
    """
    what = f"{repo}@{revision}" if revision else repo
    info = patience.insist(what, lambda _: _ask(what, repo, revision, login))
    if not isinstance(info.sha, str) or not COMMIT.fullmatch(info.sha):
        raise SourceError(f"{what}: the Hub names no commit", hint="check the endpoint")
    found = info.siblings or []
    if len(found) > MAX_FILES:
        raise FormatError(f"{what}: more than {MAX_FILES:,} files")
    files = {file.name: file for file in (_file(sibling, what) for sibling in found)}
    if len(files) != len(found):
        raise FormatError(f"{what}: the Hub lists a file twice")
    return Origin(repo, info.sha), dict(sorted(files.items()))


def _ask(what: str, repo: str, revision: str | None, login: Login) -> ModelInfo:
    """One listing. The client follows redirects here, and drops the token at another origin."""
    from huggingface_hub import HfApi

    # token=False: the headers have it already, and it is to be looked up once.
    api = HfApi(endpoint=login.endpoint, token=False, headers=dict(login.headers))
    try:
        with network_errors(what):
            return api.model_info(
                repo, revision=revision, files_metadata=True, timeout=STALL_SECONDS
            )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SourceError(
            f"{what}: the answer is not a listing of a model", hint="check the endpoint"
        ) from None


def _file(sibling: RepoSibling, what: str) -> SourceFile:
    name = _safe_name(sibling.rfilename, what)
    if type(sibling.size) is not int or sibling.size < 0:
        raise SourceError(f"{what}: {name}: the Hub names no size", hint="check the endpoint")
    return SourceFile(name, sibling.size, _digest(sibling))


def _digest(sibling: RepoSibling) -> str | None:
    sha256 = sibling.lfs.sha256 if sibling.lfs else None
    if isinstance(sha256, str) and SHA256.fullmatch(sha256):
        return f"sha256:{sha256}"
    if sibling.lfs is None and COMMIT.fullmatch(str(sibling.blob_id)):
        return f"git-blob:{sibling.blob_id}"
    return None


def _safe_name(name: object, what: str) -> str:
    """A plain path below the repository, or FormatError: names go into URLs and file systems."""
    if (
        not isinstance(name, str)
        or "\\" in name
        or not {"", ".", ".."}.isdisjoint(name.split("/"))
        or any(unicodedata.category(character) in UNSHOWABLE for character in name)
    ):
        raise FormatError(
            f"{what}: lists {str(name)[:80]!r}, which is no plain file name",
            hint="rename the file in the repository",
        )
    return name
