"""Who may connect: bounds in all and by address, idle connections that make way, a reserve."""

from ipaddress import ip_network

import pytest

from bentos.http import connection_limits
from bentos.http.connection_limits import ConnectionLimits

ONE, OTHER, PROXY = "203.0.113.1", "198.51.100.2", "10.0.0.3"


class Clock:
    now = 0.0


class Fake:
    """A connection."""

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


def fill(limits: ConnectionLimits, *addresses: str, busy: bool = True) -> list[Fake]:
    connections = [Fake() for _ in addresses]
    for connection, address in zip(connections, addresses, strict=True):
        assert limits.admit(connection, address)
        if busy:
            limits.set_busy(connection)
    return connections


def test_one_address_leaves_the_others_theirs(limits: ConnectionLimits) -> None:
    fill(limits, ONE, ONE, ONE)

    assert not limits.admit(Fake(), ONE)
    assert limits.admit(Fake(), OTHER)


def test_neighbours_in_an_ipv6_network_are_one(limits: ConnectionLimits) -> None:
    fill(limits, "2001:db8::1", "2001:db8::2", "2001:db8::3")

    assert not limits.admit(Fake(), "2001:db8::4")
    assert limits.admit(Fake(), "2001:db8:0:1::1")


def test_trusted_proxies_have_as_many_as_there_are(limits: ConnectionLimits) -> None:
    fill(limits, *[PROXY] * 6)

    assert not limits.admit(Fake(), PROXY)


def test_what_is_idle_longest_makes_way(limits: ConnectionLimits, clock: Clock) -> None:
    first, second, third, *_ = fill(limits, *[PROXY] * 6)
    for connection in (second, first, third):
        clock.now += 1
        limits.set_idle(connection)
    clock.now += 10

    assert limits.admit(Fake(), OTHER)
    assert (first.evicted, second.evicted, third.evicted) == (False, True, False)


def test_an_address_makes_way_for_itself(limits: ConnectionLimits, clock: Clock) -> None:
    (other,) = fill(limits, OTHER, busy=False)
    clock.now += 1
    mine, *_ = fill(limits, ONE, ONE, ONE, busy=False)
    clock.now += 10

    assert limits.admit(Fake(), ONE)
    assert (mine.evicted, other.evicted) == (True, False)


def test_what_has_just_come_is_not_sent_away(limits: ConnectionLimits, clock: Clock) -> None:
    fill(limits, ONE, ONE, ONE, busy=False)
    clock.now += 0.5

    assert not limits.admit(Fake(), ONE)


def test_the_reserve_is_nobodys_for_long(limits: ConnectionLimits) -> None:
    fill(limits, *[PROXY] * 6)
    reserve = [Fake() for _ in range(70)]
    for connection in reserve:
        assert not limits.admit(connection, ONE)

    assert [connection.evicted for connection in reserve] == [True] * 6 + [False] * 64


def test_a_connection_that_ends_leaves_its_place(limits: ConnectionLimits) -> None:
    first, *_ = fill(limits, ONE, ONE, ONE)
    limits.remove(first)
    limits.remove(first)

    assert limits.admit(Fake(), ONE)
    assert not limits.admit(Fake(), ONE)


def test_nothing_is_kept_of_who_has_left(limits: ConnectionLimits) -> None:
    for connection in fill(limits, ONE, OTHER, PROXY):
        limits.remove(connection)

    assert not limits._places
    assert not limits._by_address
