"""How a Hub is asked for anything: through its client's session, with nothing done unseen.

No redirect is followed and no answer unpacked here: both are the caller's to allow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fpcheck.errors import SourceError
from fpcheck.source.hub_answers import network_errors
from fpcheck.source.hub_login import Login
from fpcheck.source.redirects import same_origin

if TYPE_CHECKING:
    from httpx2 import Response

STALL_SECONDS = 30.0  # without one byte; the client's own default is to wait for ever


@contextmanager
def request(
    what: str,
    url: str,
    login: Login,
    headers: Mapping[str, str] | None = None,
    connect_seconds: float = STALL_SECONDS,
) -> Iterator[Response]:
    """The answer to one GET, its body unread. The login's headers go to its endpoint alone.

    The client library's exceptions, here and where the body is read, become fpcheck's.
    """
    from httpx2 import Timeout
    from huggingface_hub import get_session

    given = dict(login.headers) if same_origin(url, login.endpoint) else {}
    # Compressed, a range would be one of other bytes, and a small answer could be a huge one.
    given |= {**(headers or {}), "accept-encoding": "identity"}
    timeout = Timeout(STALL_SECONDS, connect=connect_seconds)
    with (
        network_errors(what),
        get_session().stream(
            "GET", url, headers=given, follow_redirects=False, timeout=timeout
        ) as response,
    ):
        yield response


def refuse_compressed(what: str, response: Response) -> None:
    """Raise SourceError for a body that is not sent as it is."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise SourceError(
            f"{what}: sent compressed, unasked",
            hint="check the endpoint, and what stands between it and here",
        )
