"""GitHub's two APIs: bounded in time, never led to another host, silent about the token."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from fpcheck import __version__
from fpcheck.delivery.github_event import GitHub, dig
from fpcheck.source.patience import TemporaryError
from fpcheck.text import visible

if TYPE_CHECKING:
    from requests import PreparedRequest, Response, Session

MAX_HOPS = 3  # a renamed repository answers with one redirect
REDIRECTS = frozenset({301, 302, 307, 308})
PLAIN_URL = re.compile(r"[!-\[\]-~]+")  # no space, no backslash, on which URL parsers differ
TIMEOUT = 10.0  # seconds to connect, and between any two pieces of an answer
FOREVER = float("inf")  # a wait that no patience covers
PERMISSION = "give the job `permissions: pull-requests: write`"
ADVICE = {401: "check the input github-token", 403: PERMISSION, 404: PERMISSION}


class RefusedError(Exception):
    """GitHub will not do it, now or later. The message says what to change."""


class Api:
    """One attempt's requests, all of them done by `deadline` on `clock`."""

    def __init__(
        self, github: GitHub, session: Session, clock: Callable[[], float], deadline: float
    ) -> None:
        self._github, self._session = github, session
        self._clock, self._deadline = clock, deadline

    def graphql(self, query: str, variables: Mapping[str, Any]) -> Any:
        """The answer's data. Raises RefusedError, TemporaryError."""
        question = {"query": query, "variables": variables}
        answer = self._ask("POST", self._github.graphql_url, question)
        errors = dig(answer, "errors")
        if errors:
            raise _graphql_failure(errors[0] if isinstance(errors, list) else errors)
        return dig(answer, "data")

    def about(self, number: int) -> dict[str, Any]:
        """How a GraphQL question names the pull request."""
        owner, _, name = self._github.repository.partition("/")
        return {"owner": owner, "name": name, "number": number}

    def rest(self, method: str, path: str, payload: Mapping[str, Any]) -> Any:
        """The answer to a request below the repository. Raises RefusedError, TemporaryError."""
        url = f"{self._github.api_url}/repos/{self._github.repository}/{path}"
        return self._ask(method, url, payload)

    def _ask(self, method: str, url: str, payload: Mapping[str, Any]) -> Any:
        """Follow redirects by hand: the client's own following turns a POST into a GET."""
        for _ in range(MAX_HOPS + 1):
            response = self._send(method, url, payload)
            if response.status_code not in REDIRECTS:
                return _content(response)
            url = _target(url, response.headers.get("Location", ""))
        raise RefusedError("GitHub redirects without end")

    def _send(self, method: str, url: str, payload: Mapping[str, Any]) -> Response:
        """One request. Errors give only their kind: their text may quote what was sent."""
        import requests

        try:
            return self._session.request(
                method,
                url,
                json=payload,
                headers=HEADERS,
                auth=self._authorise,
                timeout=self._timeout(),
                allow_redirects=False,
            )
        except requests.exceptions.SSLError:
            raise RefusedError(
                "no trusted connection to GitHub: name a certificate of your own in ca-bundle"
            ) from None
        except (requests.ConnectionError, requests.Timeout) as error:
            raise TemporaryError(f"GitHub did not answer ({type(error).__name__})") from None
        except (requests.RequestException, ValueError) as error:
            raise RefusedError(f"the request failed ({type(error).__name__})") from None

    def _authorise(self, request: PreparedRequest) -> PreparedRequest:
        """Given as `auth`, lest a .netrc in an untrusted home replace the header."""
        request.headers["Authorization"] = f"Bearer {self._github.token}"
        return request

    def _timeout(self) -> float:
        left = self._deadline - self._clock()
        if left <= 0:
            raise TemporaryError("GitHub took too long", FOREVER)
        return min(TIMEOUT, left)


HEADERS = {
    "Accept": "application/vnd.github+json",
    "User-Agent": f"fpcheck/{__version__}",
    "X-GitHub-Api-Version": "2022-11-28",
}


def _target(url: str, location: str) -> str:
    """The URL that a redirect means, when it stays on the same scheme, host and port."""
    home = urlsplit(url)
    target = urljoin(url, location) if PLAIN_URL.fullmatch(location) else ""
    if not target.startswith(f"{home.scheme}://{home.netloc}/"):
        raise RefusedError(
            "GitHub redirects to another host, and none but its own may see the token"
        )
    return target


def _content(response: Response) -> Any:
    """The answer's JSON. Raises RefusedError or TemporaryError for anything but a success."""
    content, status = _json(response), response.status_code
    if status < 300 and content is not None:
        return content
    said = f"GitHub answered {status}: {_said(content)}"
    if status == 429 or status >= 500 or (status == 403 and _is_limited(response, said)):
        raise TemporaryError(said, _wait(response))
    raise RefusedError(f"{said}; {ADVICE[status]}" if status in ADVICE else said)


def _json(response: Response) -> Any:
    try:
        return response.json()
    except (ValueError, RecursionError):
        return None


def _graphql_failure(error: Any) -> Exception:
    """GraphQL reports failures with status 200; only those of a named kind are final."""
    kind, said = dig(error, "type"), f"GitHub answered: {_said(error)}"
    if kind == "RATE_LIMITED":
        return TemporaryError(said, FOREVER)
    if kind:
        return RefusedError(f"{said}; {PERMISSION}")
    return TemporaryError(said)


def _said(content: Any) -> str:
    return visible(dig(content, "message") or "no reason given", 200)


def _is_limited(response: Response, said: str) -> bool:
    """A used-up quota answers 403, as a missing permission does."""
    headers = response.headers
    limited = "Retry-After" in headers or headers.get("X-RateLimit-Remaining") == "0"
    return limited or "rate limit" in said.lower()


def _wait(response: Response) -> float | None:
    """Seconds that GitHub asks for. A used-up quota comes back within the hour: too long here."""
    asked = response.headers.get("Retry-After", "")
    if asked.isascii() and asked.isdigit():
        return float(asked[:9])
    return FOREVER if response.headers.get("X-RateLimit-Remaining") == "0" else None
