"""Which redirects are followed; names and addresses here are never connected to."""

from __future__ import annotations

import pytest

from fpcheck.errors import SourceError
from fpcheck.source.redirects import redirect_target, same_origin

PUBLIC = "https://1.1.1.1"


def target(location: str, endpoint: str = PUBLIC, url: str = f"{PUBLIC}/a/b?c=d") -> str:
    return redirect_target("owner/name/file", url, location, endpoint)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("https://8.8.8.8/x?Signature=s%2F", "https://8.8.8.8/x?Signature=s%2F"),
        ("/api/resolve-cache/x?e=%22t%22", f"{PUBLIC}/api/resolve-cache/x?e=%22t%22"),
        ("//8.8.8.8/x", "https://8.8.8.8/x"),
        ("https://cdn.invalid/x", "https://cdn.invalid/x"),
    ],
)
def test_public_targets_are_followed(location: str, expected: str) -> None:
    assert target(location) == expected


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "10.1.2.3", "192.168.0.1", "172.16.9.9", "100.100.100.200"),
        *("169.254.169.254", "0.0.0.0", "2130706433", "0x7f.1", "[::1]", "[fd00:ec2::254]"),
        *("[fe80::1]", "[::ffff:10.0.0.1]"),
    ],
)
def test_a_public_endpoint_does_not_lead_to_private_addresses(host: str) -> None:
    with pytest.raises(SourceError, match="private address"):
        target(f"https://{host}/")


def test_a_private_endpoint_may_lead_to_its_neighbours_but_not_to_metadata() -> None:
    assert target("http://10.0.0.7/x", "http://10.0.0.1", "http://10.0.0.1/y")
    with pytest.raises(SourceError, match="private address"):
        target("http://169.254.169.254/x", "http://10.0.0.1", "http://10.0.0.1/y")


def test_an_address_of_this_machine_leads_to_its_own_ports_only() -> None:
    assert target("http://127.0.0.1:8/x", "http://127.0.0.1:9", "http://127.0.0.1:9/y")
    for host in ("127.0.0.2", "0.0.0.0", "[::1]"):
        with pytest.raises(SourceError, match="private address"):
            target(f"http://{host}/x", "http://127.0.0.1", "http://127.0.0.1/y")


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "0.0.0.0"])
def test_a_neighbour_does_not_lead_into_this_machine(host: str) -> None:
    with pytest.raises(SourceError, match="private address"):
        target(f"http://{host}/x", "http://10.0.0.1", "http://10.0.0.1/y")


@pytest.mark.parametrize("host", ["a..b", ".a", "a" * 64, f"a.{'b' * 64}.c"])
def test_a_host_that_cannot_be_looked_up_is_refused(host: str) -> None:
    with pytest.raises(SourceError, match="not a plain https link"):
        target(f"https://{host}/")


@pytest.mark.parametrize(
    "location",
    ["http://8.8.8.8/x", "file:///x", "javascript:1", "https://u:p@8.8.8.8/"],
)
def test_a_weaker_scheme_or_a_login_in_the_link_is_refused(location: str) -> None:
    with pytest.raises(SourceError, match="not a plain https link"):
        target(location)


@pytest.mark.parametrize("location", ["https://[::1", "https://8.8.8.8:x/", "https://8.8.8.8\n/"])
def test_a_location_that_does_not_parse_is_refused(location: str) -> None:
    with pytest.raises(SourceError, match="refused a redirect"):
        target(location)


def test_messages_leave_the_secret_of_a_signed_link_out() -> None:
    with pytest.raises(SourceError) as error:
        target("https://10.0.0.1/x?Signature=secret")

    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("https://h/x", True),
        ("https://h:443/y", True),
        ("https://H/", True),
        ("http://h/", False),
        ("https://h:8443/", False),
        ("https://h.evil/", False),
        ("https://evil/?https://h/", False),
    ],
)
def test_an_origin_is_scheme_host_and_port(other: str, same: bool) -> None:
    assert same_origin("https://h/a", other) is same
