"""Connection limits: in total and per address, eviction of idle connections, and the reserve."""

from ipaddress import ip_network

import pytest

from bentos.http import connection_limits
from bentos.http.connection_limits import ConnectionLimits

ONE, OTHER, PROXY = "203.0.113.1", "198.51.100.2", "10.0.0.3"


class Clock:
    now = 0.0


class FakeConnection:
    """A connection that records its eviction."""

    evicted = False

    def evict(self) -> None:
        self.evicted = True


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(connection_limits.time, "monotonic", lambda: clock.now)
    return clock


@pytest.fixture
def limits() -> ConnectionLimits:
    return ConnectionLimits(total=6, by_address=3, trusted=(ip_network("10.0.0.0/8"),))


def fill(limits: ConnectionLimits, *addresses: str, busy: bool = True) -> list[FakeConnection]:
    connections = [FakeConnection() for _ in addresses]
    for connection, address in zip(connections, addresses, strict=True):
        assert limits.admit(connection, address)
        if busy:
            limits.set_busy(connection)
    return connections


def test_address_at_its_limit_does_not_block_other_addresses(limits: ConnectionLimits) -> None:
    fill(limits, ONE, ONE, ONE)

    assert not limits.admit(FakeConnection(), ONE)
    assert limits.admit(FakeConnection(), OTHER)


def test_addresses_of_one_ipv6_network_share_a_limit(limits: ConnectionLimits) -> None:
    fill(limits, "2001:db8::1", "2001:db8::2", "2001:db8::3")

    assert not limits.admit(FakeConnection(), "2001:db8::4")
    assert limits.admit(FakeConnection(), "2001:db8:0:1::1")


def test_address_of_ipv4_at_an_ipv6_socket_is_the_same_client(limits: ConnectionLimits) -> None:
    fill(limits, ONE, f"::ffff:{ONE}", f"::ffff:{ONE}")

    assert not limits.admit(FakeConnection(), ONE)
    assert limits.admit(FakeConnection(), f"::ffff:{OTHER}")


def test_trusted_proxy_at_an_ipv6_socket_has_no_limit_of_its_own(limits: ConnectionLimits) -> None:
    fill(limits, *[f"::ffff:{PROXY}"] * 4)


def test_trusted_proxy_is_bounded_only_by_the_total(limits: ConnectionLimits) -> None:
    fill(limits, *[PROXY] * 6)

    assert not limits.admit(FakeConnection(), PROXY)


def test_longest_idle_connection_is_evicted_first(limits: ConnectionLimits, clock: Clock) -> None:
    first, second, third, *_ = fill(limits, *[PROXY] * 6)
    for connection in (second, first, third):
        clock.now += 1
        limits.set_idle(connection)
    clock.now += 10

    assert limits.admit(FakeConnection(), OTHER)
    assert (first.evicted, second.evicted, third.evicted) == (False, True, False)


def test_new_connection_evicts_an_idle_one_of_the_same_address(
    limits: ConnectionLimits, clock: Clock
) -> None:
    (other,) = fill(limits, OTHER, busy=False)
    clock.now += 1
    mine, *_ = fill(limits, ONE, ONE, ONE, busy=False)
    clock.now += 10

    assert limits.admit(FakeConnection(), ONE)
    assert (mine.evicted, other.evicted) == (True, False)


def test_connection_that_just_opened_is_not_evicted(limits: ConnectionLimits, clock: Clock) -> None:
    fill(limits, ONE, ONE, ONE, busy=False)
    clock.now += 0.5

    assert not limits.admit(FakeConnection(), ONE)


def test_oldest_connections_in_the_reserve_are_evicted(limits: ConnectionLimits) -> None:
    fill(limits, *[PROXY] * 6)
    reserve = [FakeConnection() for _ in range(70)]
    for connection in reserve:
        assert not limits.admit(connection, ONE)

    assert [connection.evicted for connection in reserve] == [True] * 6 + [False] * 64


def test_closed_connection_frees_exactly_one_place(limits: ConnectionLimits) -> None:
    first, *_ = fill(limits, ONE, ONE, ONE)
    limits.remove(first)
    limits.remove(first)

    assert limits.admit(FakeConnection(), ONE)
    assert not limits.admit(FakeConnection(), ONE)


def test_limits_keep_no_state_of_closed_connections(limits: ConnectionLimits) -> None:
    for connection in fill(limits, ONE, OTHER, PROXY):
        limits.remove(connection)

    assert not limits._places
    assert not limits._by_address
