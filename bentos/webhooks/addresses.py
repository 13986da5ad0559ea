"""Which addresses deliveries may go to: public ones, and those that the operator adds."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Self
from urllib.parse import urlsplit

Network = IPv4Network | IPv6Network

MAX_URL = 1024
"""Characters."""
PORTS = (443, 8443)
_HOST = re.compile(r"(?!.*\.\.)[a-z0-9_]([a-z0-9._-]{0,251}[a-z0-9_])?")
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All that is assigned for the public Internet. IPv4-mapped addresses and NAT64's are outside:
they would reach any IPv4 address."""
_NOT_PUBLIC: tuple[Network, ...] = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments, and a cloud's metadata
    IPv4Network("192.88.99.0/24"),  # 6to4's relays (RFC 7526), which Python takes for global
    IPv6Network("2001::/23"),  # protocol assignments, among them Teredo's tunnels
    IPv6Network("2002::/16"),  # 6to4 has an IPv4 address inside
    IPv6Network("3fff::/20"),  # documentation (RFC 9637), newer than Python's table
)


class RefusedUrl(ValueError):
    """Nothing is delivered to this URL; the message says why, and does not quote it."""


@dataclass(frozen=True)
class Target:
    """A URL in parts, of which none can be read in two ways."""

    host: str
    port: int
    path: str
    """With its query."""

    @classmethod
    def parse(cls, url: str) -> Self:
        """Returns the parts of a URL. Raises RefusedUrl."""
        if len(url) > MAX_URL or not _PRINTABLE.fullmatch(url) or "\\" in url:
            raise RefusedUrl(f"the URL must have at most {MAX_URL} ASCII characters, no spaces")
        try:
            parts = urlsplit(url)
            port = PORTS[0] if parts.port is None else parts.port
        except ValueError as error:
            raise RefusedUrl("the URL is malformed") from error
        if parts.scheme != "https":
            raise RefusedUrl("the URL must begin with https://")
        if "@" in parts.netloc:
            raise RefusedUrl("the URL must have no user and no password")
        if "#" in url:
            raise RefusedUrl("the URL must have no fragment")
        if port not in PORTS:
            raise RefusedUrl("the port must be 443 or 8443")
        host = parts.hostname or ""
        if not (_HOST.fullmatch(host) or _literal(host)):
            raise RefusedUrl("the host must be a name or an address; xn--... for others than ASCII")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(host, port, path)

    def check(self, networks: Sequence[Network]) -> None:
        """Refuses an address in place of a name at once. Raises RefusedUrl.

        Names are resolved only for a delivery, so that nobody asks our resolver by this.
        """
        literal = _literal(self.host)
        if literal and not may_reach(literal, networks):
            raise RefusedUrl("the address is not one of the public Internet")


def may_reach(address: IPv4Address | IPv6Address, networks: Sequence[Network]) -> bool:
    """Whether deliveries may go to an address: a public one, or one in `networks`."""
    return any(address in each for each in networks) or _is_public(address)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    """Also refuses what Python takes for global: multicast, and tunnels to IPv4 addresses."""
    if any(address in each for each in _NOT_PUBLIC):
        return False
    if isinstance(address, IPv6Address):
        return address in _GLOBAL_UNICAST and address.is_global
    return address.is_global and not address.is_multicast and not address.is_reserved


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
