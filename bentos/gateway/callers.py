"""Who asks: the address that room is shared by."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.datastructures import Headers
from starlette.types import Scope

_UNKNOWN = "unknown"
_IPV6_PREFIX = 64
"""One subscriber has at least this whole network, so it is one caller."""

Networks = Sequence[IPv4Network | IPv6Network]


def caller_of(scope: Scope, trusted: Networks) -> str:
    """The nearest address that is no proxy of ours.

    X-Forwarded-For is believed only as far as trusted proxies wrote it, from its right end.
    """
    client = scope.get("client")
    address = client[0] if client else _UNKNOWN
    if is_trusted(address, trusted):
        forwarded = ",".join(Headers(scope=scope).getlist("x-forwarded-for"))
        for hop in reversed([hop.strip() for hop in forwarded.split(",") if hop.strip()]):
            address = hop
            if not is_trusted(hop, trusted):
                break
    return subscriber(address)


def is_trusted(address: str, trusted: Networks) -> bool:
    """Whether an address is of a proxy that the operator named."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in trusted if network.version == found.version)


def subscriber(address: str) -> str:
    """What counts as one caller: an IPv4 address, or the network of an IPv6 one."""
    try:
        found = ip_address(address)
    except ValueError:
        return _UNKNOWN  # what is no address is one caller, however it is spelt
    if isinstance(found, IPv6Address):
        return str(IPv6Network((found, _IPV6_PREFIX), strict=False))
    return str(found)
