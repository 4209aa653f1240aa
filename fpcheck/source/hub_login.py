"""Which Hub, with which token, through which network: settled once, before anything is asked."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from fpcheck import __version__
from fpcheck.errors import SourceError, UsageError
from fpcheck.source.hub_answers import network_errors
from fpcheck.source.patience import TemporaryError
from fpcheck.source.redirects import is_plain

TOKEN = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Login:
    """An endpoint and the headers that it alone may see: the user's token is among them."""

    endpoint: str
    headers: Mapping[str, str] = field(repr=False)


def log_in(token: str | None, endpoint: str | None) -> Login:
    """The endpoint and the token to use, read once from where huggingface_hub looks for them.

    Raises UsageError for an endpoint or a token that cannot be one.
    """
    from huggingface_hub import constants
    from huggingface_hub import logging as hub_logging

    # Otherwise the client asks the Hub for a list of coding agents and keeps it on disk.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    # Its warnings repeat what a server wrote, unescaped, where a CI runner obeys it.
    hub_logging.set_verbosity(logging.ERROR)
    headers = {"user-agent": f"fpcheck/{__version__}"}
    found = token or _implicit_token()
    if found:
        headers["authorization"] = f"Bearer {_checked_token(found.strip())}"
    _open_session()
    return Login(_checked_endpoint(endpoint or constants.ENDPOINT), headers)


def _implicit_token() -> str | None:
    from huggingface_hub import constants, get_token
    from huggingface_hub.errors import OIDCError

    if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN:
        return None
    try:
        with network_errors("the Hub's token"):
            return get_token()
    except (OIDCError, OSError, TemporaryError):
        raise SourceError("the Hub's token: cannot be had", hint="pass one in HF_TOKEN") from None


def _checked_token(token: str) -> str:
    # The client's own complaint about such a header would quote it.
    if not TOKEN.fullmatch(token):
        raise UsageError("the Hub's token: holds blanks or unusual characters", hint="copy it anew")
    return token


def _open_session() -> None:
    """Let the client read proxies and certificates now, while its failures have one meaning."""
    from huggingface_hub import get_session

    try:
        get_session()
    except Exception:  # of many kinds; their texts may hold a proxy's password
        raise SourceError(
            "the network settings are not usable",
            hint="check HTTPS_PROXY, HTTP_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR",
        ) from None


def _checked_endpoint(text: str) -> str:
    from httpx2 import URL, InvalidURL

    try:
        url = URL(text)
    except InvalidURL:
        url = URL()
    if url.scheme not in {"https", "http"} or not is_plain(url) or url.query:
        raise UsageError(
            "the Hub's endpoint: expected https://host[/path]", hint="check HF_ENDPOINT"
        )
    return str(url).rstrip("/")
