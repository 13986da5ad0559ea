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
    address = client[0] if client else _UNKNOWN
    for hop in _hops(scope) if is_trusted(address, trusted) else ():
        if not _parsed(hop):
            break
        address = hop
        if not is_trusted(hop, trusted):
            break
    return subscriber(address)


def is_trusted(address: str, trusted: Networks) -> bool:
    """Whether an address is of a proxy that the operator named."""
    found = _parsed(address)
    return any(
        found in network for network in trusted if found and network.version == found.version
    )


def subscriber(address: str) -> str:
    """What counts as one caller: an IPv4 address, or the network of an IPv6 one."""
    found = _parsed(address)
    if isinstance(found, IPv6Address):
        return str(IPv6Network((found, _IPV6_PREFIX), strict=False))
    return str(found or _UNKNOWN)  # what is no address is one caller, however it is spelt


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
