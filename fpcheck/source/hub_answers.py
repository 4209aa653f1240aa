"""What the Hub's answers mean: come back later, or no, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fpcheck.errors import SourceError
from fpcheck.source.patience import NoConnectionError, TemporaryError

if TYPE_CHECKING:
    from httpx2 import Response

HUB, STORAGE = "the Hub", "the storage behind the Hub"
COME_BACK = frozenset({408, 425, 429})  # and every 5xx
GATED = ("in a gated repository", "accept its terms on the Hub, then pass a token in HF_TOKEN")
HIDDEN = (
    "no such repository, or a private one",
    "check the spelling; a private repository needs a token that may read it, in HF_TOKEN",
)
# The Hub says why in a header of its own; the status alone says less.
BY_CODE = {
    "GatedRepo": GATED,
    "RepoNotFound": HIDDEN,
    "RevisionNotFound": ("no such revision", "name a branch, a tag or a commit that exists"),
    "EntryNotFound": ("not at this commit any more", "check again"),
}
BY_STATUS = {
    401: (HIDDEN[0], "check the spelling, and that the token in HF_TOKEN is valid"),
    403: ("the Hub forbids it", "use a token that may read this repository, in HF_TOKEN"),
    404: HIDDEN,
    416: ("the Hub says it has no such bytes", "the file changed since it was listed; check again"),
}


def refuse_failure(what: str, response: Response, who: str = HUB) -> None:
    """Raise what a failed answer means: TemporaryError or SourceError. A good answer passes."""
    status = response.status_code
    if status in COME_BACK or status >= 500:
        raise TemporaryError(f"{who} answered {status}", _requested_wait(response))
    if status >= 400:
        code = response.headers.get("x-error-code", "")
        known = (BY_CODE.get(code) or BY_STATUS.get(status)) if who == HUB else None
        message, hint = known or (f"{who} answered {status}", "check the endpoint; check again")
        raise SourceError(f"{what}: {message}", hint=hint)


@contextmanager
def network_errors(what: str) -> Iterator[None]:
    """Turn the client library's exceptions into TemporaryError or SourceError.

    Their own texts are left out: they may hold a signed link, a proxy's password or a token.
    """
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        yield
    except OfflineModeIsEnabled:
        raise SourceError(
            f"{what}: the Hub is switched off by HF_HUB_OFFLINE",
            hint="unset HF_HUB_OFFLINE, or name a local folder instead",
        ) from None
    except HfHubHTTPError as error:
        refuse_failure(what, error.response)
        raise SourceError(f"{what}: the Hub's answer makes no sense") from None
    except httpx2.HTTPError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            hint = "set SSL_CERT_FILE to the certificate authorities of your network"
            raise SourceError(
                f"{what}: the server's certificate is not trusted", hint=hint
            ) from None
        unmet = isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError))
        kind = NoConnectionError if unmet else TemporaryError
        raise kind(f"no connection ({type(error).__name__})") from None


def _requested_wait(response: Response) -> float | None:
    """Seconds until the Hub's rate limit ends, or what Retry-After asks for when it is a number."""
    # Documented there, but exported in a way that type checkers do not see.
    from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]

    limit = parse_ratelimit_headers(response.headers)
    if limit is not None and limit.remaining == 0:
        return float(limit.reset_in_seconds)
    text = response.headers.get("retry-after", "").strip()
    return float(text) if text.isascii() and text.isdigit() else None
