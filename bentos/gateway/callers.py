"""Who asks: the address that capacity is shared by."""

import re
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.datastructures import Headers
from starlette.types import Scope

_UNKNOWN = "unknown"
_IPV6_PREFIX = 64
"""One subscriber has at least this whole network, so it is one caller."""
_MAX_HOPS = 32
"""Of X-Forwarded-For, from its right end; nobody has so many proxies of his own."""
_WITH_PORT = re.compile(r"(?:\[(?P<v6>[^\[\]]*)\]|(?P<v4>[\d.]+))(?::\d{1,5})?")
"""What some proxies write: 192.0.2.1:50312, [2001:db8::1]:50312 or [2001:db8::1]."""

Address = IPv4Address | IPv6Address
Networks = Sequence[IPv4Network | IPv6Network]


def caller_of(scope: Scope, trusted: Networks) -> str:
    """The nearest address that is no proxy of ours.

    X-Forwarded-For is believed only as far as trusted proxies wrote it, from its right end. What
    is no address there is taken for the proxy that wrote it: it may be anything that the proxy was
    sent, and must not make callers.
    """
    client = scope.get("client")
    address = _parsed(client[0]) if client else None
    if address is None:
        return _UNKNOWN
    for hop in _hops(scope):
        if not _is_trusted(address, trusted):
            break
        found = _parsed(hop)
        if found is None:
            break
        address = found
    return _subscriber(address)


def _hops(scope: Scope) -> Iterator[str]:
    forwarded = ",".join(Headers(scope=scope).getlist("x-forwarded-for"))
    for hop in reversed(forwarded.rsplit(",", _MAX_HOPS)[-_MAX_HOPS:]):
        if hop.strip():
            yield hop.strip()


def _parsed(text: str) -> Address | None:
    match = _WITH_PORT.fullmatch(text)
    bare = (match["v6"] or match["v4"] or "") if match else text
    try:
        found = ip_address(bare.partition("%")[0])  # without the zone, which is an interface here
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _is_trusted(address: Address, trusted: Networks) -> bool:
    return any(address in network for network in trusted if network.version == address.version)


def _subscriber(address: Address) -> str:
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, _IPV6_PREFIX), strict=False))
    return str(address)
