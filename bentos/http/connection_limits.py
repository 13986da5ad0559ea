"""How many connections are open at once: in all, and of one address.

Where a bound is reached, the connection that has been idle longest makes way. Where none has been
idle, a new one gets a place in a small reserve, in which probes are answered and all else is told
that there are too many connections.
"""

import logging
import time
from collections import Counter
from dataclasses import dataclass
from typing import Protocol

from bentos.http.client_address import Networks, is_trusted, subscriber

logger = logging.getLogger(__name__)

_RESERVE = 64
_IDLE_SECONDS = 1.0
"""A connection that waits for a request for less time than this may be about to send it."""


class Evictable(Protocol):
    """What the bounds are about."""

    def evict(self) -> None:
        """Closes the connection at once, without an answer."""


@dataclass
class _Place:
    address: str | None  # what the bound by address counts; None where it does not hold
    idle_since: float | None


class ConnectionLimits:
    """Counts open connections, and says which may come."""

    def __init__(self, *, total: int, by_address: int, trusted: Networks) -> None:
        """`trusted` are proxies, which have the connections of many callers."""
        self._total, self._most_by_address, self._trusted = total, by_address, trusted
        self._places: dict[Evictable, _Place] = {}  # the one that is idle longest first
        self._by_address: Counter[str | None] = Counter()
        self._reserve: dict[Evictable, None] = {}  # the oldest first
        self._warned = False

    def admit(self, connection: Evictable, address: str) -> bool:
        """Gives a new connection a place; False where it is one in the reserve."""
        key = None if is_trusted(address, self._trusted) else subscriber(address)
        if self._is_full(key) and not self._make_way(key):
            self._reserve[connection] = None
            if len(self._reserve) > _RESERVE:
                self._evict(next(iter(self._reserve)))
            return False
        self._places[connection] = _Place(key, time.monotonic())
        self._by_address[key] += 1
        return True

    def set_busy(self, connection: Evictable) -> None:
        """Keeps a connection whose request is worked for."""
        if place := self._places.get(connection):
            place.idle_since = None

    def set_idle(self, connection: Evictable) -> None:
        """Lets a connection make way that waits for its next request."""
        if place := self._places.pop(connection, None):
            place.idle_since = time.monotonic()
            self._places[connection] = place

    def remove(self, connection: Evictable) -> None:
        """Forgets a connection that is no more."""
        self._reserve.pop(connection, None)
        if place := self._places.pop(connection, None):
            self._by_address[place.address] -= 1
            if not self._by_address[place.address]:
                del self._by_address[place.address]

    def _is_full(self, key: str | None) -> bool:
        return len(self._places) >= self._total or self._is_full_for(key)

    def _is_full_for(self, key: str | None) -> bool:
        return key is not None and self._by_address[key] >= self._most_by_address

    def _make_way(self, key: str | None) -> bool:
        """Evicts the connection that is idle longest, of the same address where that is full."""
        of_one = self._is_full_for(key)
        if of_one and not self._warned:
            self._warned = True
            logger.warning(
                "one address has all the connections that it may have; name proxies "
                "in CHESTXRAY_TRUSTED_PROXIES"
            )
        latest = time.monotonic() - _IDLE_SECONDS
        for connection, place in self._places.items():
            if place.idle_since is None or (of_one and place.address != key):
                continue
            if place.idle_since > latest:
                break
            self._evict(connection)
            return True
        return False

    def _evict(self, connection: Evictable) -> None:
        self.remove(connection)
        connection.evict()
