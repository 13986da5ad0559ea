"""Opens connections for deliveries: to an address that was checked, never to a name.

A name is resolved once, and the connection goes to the very address that was checked: a name that
resolves differently the next time (DNS rebinding) gains nothing by it. TLS is for the name.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from ipaddress import ip_address

import httpcore

from bentos.webhooks.addresses import Network, may_reach

RESOLVERS = 8
"""Threads of their own: names that resolve slowly hold up nothing but deliveries."""
_MOST_ADDRESSES = 3
"""Of one name are tried."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the addresses of a name. Raises OSError."""


class RefusedAddress(httpcore.ConnectError):
    """The name has no address that deliveries may go to, or none at all: which, is not told."""


class PinnedBackend(httpcore.AsyncNetworkBackend):
    """Resolves, checks, and connects to what it has checked."""

    def __init__(self, networks: Sequence[Network], *, resolve: Resolve | None = None) -> None:
        self._networks, self._resolve = networks, resolve or resolve_name
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connects to the first address that answers. Raises httpcore.ConnectError."""
        failure: httpcore.NetworkError | httpcore.TimeoutException | None = None
        for address in await self._permitted(host, port):
            try:
                return await self._sockets.connect_tcp(address, port, timeout)
            except (httpcore.NetworkError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or RefusedAddress("no address of the name may be reached")

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Refuses: no URL names one."""
        raise RefusedAddress("deliveries go to no socket of this machine")

    async def sleep(self, seconds: float) -> None:
        """Waits, before httpcore tries again."""
        await self._sockets.sleep(seconds)

    async def _permitted(self, host: str, port: int) -> list[str]:
        try:
            found = dict.fromkeys(await self._resolve(host, port))
        except (OSError, UnicodeError) as error:
            raise RefusedAddress("no address of the name may be reached") from error
        allowed = [each for each in found if may_reach(ip_address(each), self._networks)]
        return allowed[:_MOST_ADDRESSES]


async def resolve_name(host: str, port: int) -> list[str]:
    """Asks the resolver of the system. Raises OSError."""

    def ask() -> list[str]:
        return [str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]

    return await asyncio.get_running_loop().run_in_executor(_threads(), ask)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(RESOLVERS, thread_name_prefix="webhook-names")
