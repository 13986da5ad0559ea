"""Client address of a request, by which capacity is shared.

uvicorn's ProxyHeadersMiddleware is not used. It overwrites the address of the peer, by which
connections are limited and X-Forwarded-Prefix is trusted, and it does not recognise a trusted proxy
at an IPv4-mapped address.
"""

import re
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.datastructures import Headers
from starlette.types import Scope

_UNKNOWN = "unknown"
_IPV6_PREFIX = 64
"""A subscriber has at least a /64, so that network counts as one client."""
_MAX_HOPS = 32
"""Entries of X-Forwarded-For to consider, from the right; no chain of own proxies is longer."""
_WITH_PORT = re.compile(r"(?:\[(?P<v6>[^\[\]]*)\]|(?P<v4>[\d.]+))(?::\d{1,5})?")
"""Addresses with ports, as some proxies write: 192.0.2.1:50312, [2001:db8::1]:50312 or
[2001:db8::1]."""

Address = IPv4Address | IPv6Address
Networks = Sequence[IPv4Network | IPv6Network]


def caller_of(scope: Scope, trusted: Networks) -> str:
    """Returns the key of the client whose address `address_of` returns."""
    return subscriber(address_of(scope, trusted))


def address_of(scope: Scope, trusted: Networks) -> str:
    """Returns the nearest address that is not a trusted proxy.

    Walks X-Forwarded-For from the right, as far as trusted proxies wrote it. At an entry that is
    not an address it stops at the proxy that wrote it: the client may have sent the entry, and must
    not be able to invent client addresses.
    """
    client = scope.get("client")
    address = client[0] if client else _UNKNOWN
    for hop in _hops(scope) if is_trusted(address, trusted) else ():
        if not _parsed(hop):
            break
        address = hop
        if not is_trusted(hop, trusted):
            break
    return address


def is_trusted(address: str, trusted: Networks) -> bool:
    """Whether an address is in one of the trusted networks."""
    found = _parsed(address)
    return any(
        found in network for network in trusted if found and network.version == found.version
    )


def subscriber(address: str) -> str:
    """Returns the key of a client: an IPv4 address, or the /64 network of an IPv6 address."""
    found = _parsed(address)
    if isinstance(found, IPv6Address):
        return str(IPv6Network((found, _IPV6_PREFIX), strict=False))
    return str(found or _UNKNOWN)  # all non-addresses count as one client


def _hops(scope: Scope) -> Iterator[str]:
    forwarded = ",".join(Headers(scope=scope).getlist("x-forwarded-for"))
    for hop in reversed(forwarded.rsplit(",", _MAX_HOPS)[-_MAX_HOPS:]):
        if hop.strip():
            yield hop.strip()


def _parsed(text: str) -> Address | None:
    match = _WITH_PORT.fullmatch(text)
    bare = (match["v6"] or match["v4"] or "") if match else text
    try:
        found = ip_address(bare.partition("%")[0])  # without the zone, a local interface name
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
