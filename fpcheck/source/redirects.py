"""Where a redirect may lead: never to a weaker scheme, never into somebody's private network.

A target's name is looked up here and once more by the client, so a name server that answers
differently the second time is not caught; nor is a name that only a proxy can look up.
"""

from __future__ import annotations

import re
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from fpcheck.errors import SourceError

if TYPE_CHECKING:
    from httpx2 import URL

MAX_HOPS = 5
LABEL = rb"[A-Za-z0-9_:-]{1,63}"  # looking up a longer or an empty one is an error of its own
HOST = re.compile(LABEL + rb"(?:\." + LABEL + rb")*\.?")
REDIRECTS = frozenset({301, 302, 303, 307, 308})


def is_plain(url: URL) -> bool:
    """Whether a URL names a host, and names no user: the client takes nearly anything for one."""
    return bool(HOST.fullmatch(url.raw_host)) and not url.userinfo


def same_origin(url: str, other: str) -> bool:
    """Whether both have one scheme, host and port: the only place where a token may go."""
    from httpx2 import URL

    return URL(url).origin == URL(other).origin


def redirect_target(what: str, url: str, location: str, endpoint: str) -> str:
    """The URL that `location` means in an answer from `url`.

    Raises SourceError for a target that a Hub has no reason to name.
    """
    from httpx2 import URL

    target = _join(url, location)
    fault = _fault(target, URL(endpoint)) if target else "not a URL"
    if fault:
        raise SourceError(
            f"{what}: refused a redirect: {fault}",
            hint="the endpoint, or something between it and here, is not what it should be",
        )
    return str(target)


def _join(url: str, location: str) -> URL | None:
    """Parsed by the client's own parser: two parsers may disagree on which host a URL names."""
    from httpx2 import URL, InvalidURL

    try:
        return URL(url).join(location)
    except (InvalidURL, ValueError):
        return None


def _fault(target: URL, home: URL) -> str:
    """What is wrong with a target, "" for nothing; without its query, where signed links keep
    their secret."""
    shown = f"{target.scheme[:20]}://{target.host[:200]}"
    if target.scheme not in {"https", home.scheme} or not is_plain(target):
        return f"{shown} is not a plain {home.scheme} link"
    if target.origin != home.origin and _is_private(target, home):
        return f"{shown} is a private address"
    return ""


def _is_private(target: URL, home: URL) -> bool:
    """Link-local addresses always count: cloud metadata lives there. Others not from near home,
    though this machine's own are near to nothing but themselves."""
    addresses, near = _addresses(target), _addresses(home)
    if any(address.is_link_local for address in addresses):
        return True
    if any(map(_is_here, addresses)):
        return set(near).isdisjoint(addresses)
    at_home = any(not address.is_global for address in near)
    return not at_home and any(not address.is_global for address in addresses)


def _is_here(address: IPv4Address | IPv6Address) -> bool:
    return address.is_loopback or address.is_unspecified


def _addresses(url: URL) -> list[IPv4Address | IPv6Address]:
    """Every address of the host; none when only a proxy can look the name up."""
    try:
        found = socket.getaddrinfo(url.raw_host.decode("ascii"), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [_unmapped(ip_address(entry[4][0])) for entry in found]


def _unmapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    return getattr(address, "ipv4_mapped", None) or address
