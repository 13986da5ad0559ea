"""A client is identified by an address that it cannot forge."""

from ipaddress import ip_network
from typing import Any

import pytest

from bentos.http.client_address import address_of, caller_of

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


def scope(client: str | None, *forwarded: str) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return {"type": "http", "headers": headers, "client": (client, 1) if client else None}


@pytest.mark.parametrize(
    ("client", "forwarded", "expected"),
    [
        ("192.0.2.1", (), "192.0.2.1"),
        ("192.0.2.1", ("198.51.100.7",), "192.0.2.1"),
        ("10.0.0.1", ("198.51.100.7",), "198.51.100.7"),
        ("10.0.0.1", ("203.0.113.9, 198.51.100.7",), "198.51.100.7"),
        ("10.0.0.1", ("203.0.113.9", "198.51.100.7, 10.2.3.4"), "198.51.100.7"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("nonsense",), "10.0.0.1"),
        ("10.0.0.1", ("198.51.100.7, nonsense",), "10.0.0.1"),
        ("10.0.0.1", ("nonsense, 10.2.3.4",), "10.2.3.4"),
        ("10.0.0.1", ("198.51.100.7:50312",), "198.51.100.7"),
        ("10.0.0.1", ("[2001:db8:1:2:3::4]:50312",), "2001:db8:1:2::/64"),
        ("10.0.0.1", ("[2001:db8:1:2:3::4]",), "2001:db8:1:2::/64"),
        ("10.0.0.1", ("198.51.100.7:port",), "10.0.0.1"),
        ("10.0.0.1", ("[]:1",), "10.0.0.1"),
        ("10.0.0.1", ("::ffff:198.51.100.7",), "198.51.100.7"),
        ("10.0.0.1", ("198.51.100.7,, ,",), "198.51.100.7"),
        ("10.0.0.1", ("fe80::1%eth0",), "fe80::/64"),
        ("10.0.0.1", (",".join(["198.51.100.7"] + ["10.2.3.4"] * 5000),), "10.2.3.4"),
        ("::ffff:10.0.0.1", ("198.51.100.7",), "198.51.100.7"),
        ("::ffff:192.0.2.1", (), "192.0.2.1"),
        ("::ffff:192.0.2.1", ("198.51.100.7",), "192.0.2.1"),
        ("a socket's path", (), "unknown"),
        ("10.0.0.1", ("10.2.3.4",), "10.2.3.4"),
        ("fd00::1", ("2001:db8:1:2:3::4",), "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::9", (), "2001:db8:1:2::/64"),
        (None, (), "unknown"),
    ],
)
def test_client_is_the_nearest_address_that_is_not_a_trusted_proxy(
    client: str | None, forwarded: tuple[str, ...], expected: str
) -> None:
    assert caller_of(scope(client, *forwarded), PROXIES) == expected


def test_forwarded_header_is_ignored_without_trusted_proxies() -> None:
    assert caller_of(scope("10.0.0.1", "198.51.100.7"), ()) == "10.0.0.1"


@pytest.mark.parametrize(
    ("client", "forwarded", "expected"),
    [
        ("2001:db8:1:2:ffff::9", (), "2001:db8:1:2:ffff::9"),
        ("10.0.0.1", ("2001:db8:1:2:3::4",), "2001:db8:1:2:3::4"),
        ("192.0.2.1", ("2001:db8:1:2:3::4",), "192.0.2.1"),
    ],
)
def test_address_is_not_reduced_to_its_network(
    client: str, forwarded: tuple[str, ...], expected: str
) -> None:
    assert address_of(scope(client, *forwarded), PROXIES) == expected
