"""Discovery on clusters with IPv6, alone or beside IPv4."""

import asyncio
import socket

import pytest

from bentos.inference.discovery import urls_of
from tests.addresses import needs_ipv6
from tests.service.test_pods import FakePod, GatewayPods, NameService

FOUR = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", 3001))
SIX = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fd00::7", 3001, 0, 0))


class Resolver(NameService):
    """The resolver of this machine, asked for the address of a pod."""

    def __init__(self, pod: FakePod) -> None:
        super().__init__()
        self._port = pod.port

    async def __call__(self, name: str, port: int) -> set[str]:
        loop = asyncio.get_running_loop()
        return urls_of(await loop.getaddrinfo("::1", self._port, type=socket.SOCK_STREAM))


@needs_ipv6
def test_pod_at_an_ipv6_address_is_found_and_used() -> None:
    async def main() -> None:
        async with FakePod().running("::1") as pod:
            pods = GatewayPods(Resolver(pod))
            watching = asyncio.create_task(pods.discovery.run())
            await pods.used(1)
            await pods.ask(2)
            watching.cancel()
            await asyncio.wait([watching])
            assert len(pod.requests) > 1

    asyncio.run(main())


@pytest.mark.parametrize(
    ("found", "expected"),
    [([FOUR, SIX], "http://10.0.0.7:3001"), ([SIX, FOUR], "http://[fd00::7]:3001")],
    ids=["IPv4 preferred", "IPv6 preferred"],
)
def test_pod_with_an_address_of_each_family_counts_once(found: list[object], expected: str) -> None:
    assert urls_of(found) == {expected}  # type: ignore[arg-type]
