"""A connection goes to an address that was checked, whatever the name resolves to the next time."""

import asyncio
from collections.abc import Callable, Sequence
from ipaddress import ip_network
from typing import Any

import httpcore
import pytest

from bentos.webhooks.connecting import PinnedBackend, RefusedAddress, resolve_name

LOOPBACK = (ip_network("127.0.0.0/8"),)


class Sockets(httpcore.AsyncMockBackend):
    """Notes where connections go; none is made."""

    def __init__(self, *, fails_at: Sequence[str] = ()) -> None:
        super().__init__([])
        self.fails_at, self.connected = fails_at, list[str]()

    async def connect_tcp(self, host: str, *args: Any, **options: Any) -> Any:
        self.connected.append(host)
        if host in self.fails_at:
            raise httpcore.ConnectError("refused")
        return await super().connect_tcp(host, *args, **options)


def names(*answers: Sequence[str]) -> Callable[[str, int], Any]:
    """Resolves a name to each of these in turn, and to the last for ever."""
    left = list(answers)

    async def resolve(host: str, port: int) -> Sequence[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return resolve


def connected_to(
    resolve: Callable[[str, int], Any],
    *,
    networks: Sequence[Any] = (),
    times: int = 1,
    fails_at: Sequence[str] = (),
) -> list[str]:
    """Where connections to a name go; those that are refused go nowhere."""
    backend, sockets = PinnedBackend(networks, resolve=resolve), Sockets(fails_at=fails_at)
    backend._sockets = sockets  # type: ignore[assignment]

    async def main() -> None:
        for _ in range(times):
            try:
                await backend.connect_tcp("hospital.example", 443, 1)
            except RefusedAddress:
                sockets.connected.append("refused")

    asyncio.run(main())
    return sockets.connected


def test_name_is_resolved_once_and_its_address_connected_to() -> None:
    assert connected_to(names(["8.8.8.8"], ["127.0.0.1"])) == ["8.8.8.8"]


def test_name_that_is_rebound_to_a_private_address_is_refused_then() -> None:
    assert connected_to(names(["8.8.8.8"], ["127.0.0.1"]), times=2) == ["8.8.8.8", "refused"]


def test_private_addresses_beside_a_public_one_are_left_out() -> None:
    both = names(["127.0.0.1", "::1", "8.8.8.8", "10.0.0.1"])

    assert connected_to(both, fails_at=["127.0.0.1"]) == ["8.8.8.8"]


def test_next_address_is_tried_where_one_does_not_answer() -> None:
    found = connected_to(names(["8.8.8.8", "8.8.4.4"]), fails_at=["8.8.8.8"])

    assert found == ["8.8.8.8", "8.8.4.4"]


def test_few_addresses_of_one_name_are_tried() -> None:
    many = [f"8.8.8.{number}" for number in range(50)]
    with pytest.raises(httpcore.ConnectError):
        connected_to(names(many), fails_at=many)


def test_network_of_the_operator_is_connected_to() -> None:
    assert connected_to(names(["127.0.0.1"]), networks=LOOPBACK) == ["127.0.0.1"]


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.1", "0177.0.0.1", "localhost"])
def test_spellings_of_this_machine_that_the_resolver_knows_are_refused(host: str) -> None:
    async def main() -> None:
        with pytest.raises(RefusedAddress):
            await PinnedBackend(()).connect_tcp(host, 443, 1)
        assert set(await resolve_name(host, 443)) <= {"127.0.0.1", "::1"}

    asyncio.run(main())


def test_name_that_does_not_exist_is_told_like_a_private_one() -> None:
    async def absent(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    assert connected_to(absent) == connected_to(names(["10.0.0.1"])) == ["refused"]


def test_sockets_of_this_machine_are_refused() -> None:
    with pytest.raises(RefusedAddress):
        asyncio.run(PinnedBackend(()).connect_unix_socket("/run/docker.sock"))
