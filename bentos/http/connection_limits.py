"""Limits on open connections, in total and per client address.

At a limit, the connection that has been idle longest is closed. If none is idle, a new connection
goes into a small reserve, where probes are answered and other requests get 503.
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
"""A connection that has been idle for less may be about to send a request."""


class Evictable(Protocol):
    """A connection that can be closed when the limit is reached."""

    def evict(self) -> None:
        """Closes the connection immediately, without a response."""


@dataclass
class _Place:
    address: str | None  # client key; None if the limit per address does not apply
    idle_since: float | None


class ConnectionLimits:
    """Counts open connections and admits new ones."""

    def __init__(self, *, total: int, by_address: int, trusted: Networks) -> None:
        """`trusted` proxies are exempt from the limit per address."""
        self._total, self._max_by_address, self._trusted = total, by_address, trusted
        self._places: dict[Evictable, _Place] = {}  # longest idle first
        self._by_address: Counter[str | None] = Counter()
        self._reserve: dict[Evictable, None] = {}  # oldest first
        self._warned = False

    def admit(self, connection: Evictable, address: str) -> bool:
        """Admits a new connection; returns False if it goes into the reserve."""
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
        """Protects a connection with a request in progress from eviction."""
        if place := self._places.get(connection):
            place.idle_since = None

    def set_idle(self, connection: Evictable) -> None:
        """Makes a connection that waits for its next request evictable."""
        if place := self._places.pop(connection, None):
            place.idle_since = time.monotonic()
            self._places[connection] = place

    def remove(self, connection: Evictable) -> None:
        """Removes a closed connection."""
        self._reserve.pop(connection, None)
        if place := self._places.pop(connection, None):
            self._by_address[place.address] -= 1
            if not self._by_address[place.address]:
                del self._by_address[place.address]

    def _is_full(self, key: str | None) -> bool:
        return len(self._places) >= self._total or self._is_full_for(key)

    def _is_full_for(self, key: str | None) -> bool:
        return key is not None and self._by_address[key] >= self._max_by_address

    def _make_way(self, key: str | None) -> bool:
        """Evicts the longest idle connection, of the same address if its limit is reached."""
        of_one = self._is_full_for(key)
        if of_one and not self._warned:
            self._warned = True
            logger.warning(
                "one address has reached its connection limit; if it is a proxy, add it to "
                "CHESTXRAY_TRUSTED_PROXIES"
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
