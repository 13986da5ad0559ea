"""Rate limiting by delay: slows down clients that use more than their share of the event loop.

One thread parses the requests and reads the bodies of all clients. Rejecting a cheap request would
cost as much as serving it, so it is delayed instead: a client that waits sends less. The algorithm
is the generic cell rate algorithm (ITU-T I.371), in CPU-seconds of the thread. It applies to a
client while another one has images in analysis, and, if the thread is busy, while another one sends
any request.
"""

import asyncio
import math
import time
from http import HTTPStatus

from starlette.types import Message, Receive, Scope

from bentos.admission.ledger import ACTIVE_SECONDS, Account, Clock, Ledger
from bentos.http.client_address import Networks, caller_of
from bentos.http.problems import RequestProblem
from bentos.metric_labels import ShedReason
from bentos.metrics import get_metrics

_SHARE = 0.05
"""Share of the thread's time per client, unless the client is alone."""
_BURST_SECONDS = 0.1
"""Thread time available without delay, enough to load the page with all its files a few times."""
_BUSY_SHARE = 0.3
"""Share of a core above which the thread counts as busy; decoders and models may leave it no
more."""
_WINDOW_SECONDS = 0.05
_REQUEST_SECONDS, _BYTE_SECONDS = 1.5e-3, 2e-9
"""Measured thread time for a request of any kind, and for a byte of a form."""
_MAX_WAITING = 256
"""Maximum number of delayed requests per client; each takes memory, and its sender may be gone."""


class Busyness:
    """Detects whether the event loop's thread is busy, or was within ACTIVE_SECONDS."""

    def __init__(self, clock: Clock, spent: Clock = time.thread_time) -> None:
        """`spent` returns the CPU time of the calling thread in seconds."""
        self._clock, self._spent = clock, spent
        self._since, self._before = clock(), spent()
        self._until = -math.inf

    def look(self) -> bool:
        """Returns whether the thread is busy; measures anew if the window has passed."""
        now = self._clock()
        if (passed := now - self._since) >= _WINDOW_SECONDS:
            spent = self._spent()
            if spent - self._before > _BUSY_SHARE * passed:
                self._until = now + ACTIVE_SECONDS
            self._since, self._before = now, spent
        return now < self._until


class Pacing:
    """Creates the pace of a request's client."""

    def __init__(
        self, ledger: Ledger, trusted_proxies: Networks, busyness: Busyness | None = None
    ) -> None:
        self._ledger, self._trusted_proxies = ledger, trusted_proxies
        self._busyness = busyness or Busyness(ledger.clock)

    def of(self, scope: Scope) -> "Pace":
        """Returns the pace of a request's client."""
        account = self._ledger.account(caller_of(scope, self._trusted_proxies))
        return Pace(account, self._busyness)


class Pace:
    """Delays the requests and bodies of one client."""

    def __init__(self, account: Account, busyness: Busyness) -> None:
        self._account, self._busyness = account, busyness

    async def request(self, *, counts: bool = True) -> None:
        """Waits until the request may proceed. Raises RequestProblem 503 if too many wait.

        With `counts=False`, as for monitoring, the request does not cause pacing of others.
        """
        account = self._account
        if counts:
            account.ledger.ask(account)
        if account.paced >= _MAX_WAITING:
            raise self._refusal()
        account.paced += 1
        try:
            await self._spend(_REQUEST_SECONDS)
        finally:
            account.paced -= 1

    def receive(self, receive: Receive) -> Receive:
        """Wraps `receive` so that the body is read at the client's pace."""

        async def paced() -> Message:
            message = await receive()
            if count := len(message.get("body", b"")):
                await self._spend(count * _BYTE_SECONDS)
            return message

        return paced

    async def _spend(self, seconds: float) -> None:
        account, now = self._account, self._account.ledger.clock()
        busy = self._busyness.look()
        if account.alone and not (busy and not account.ledger.is_only_asker(account)):
            account.next_time = now
            return
        earliest = now - _BURST_SECONDS / _SHARE
        account.next_time = max(account.next_time, earliest) + seconds / _SHARE
        if account.next_time > now:
            await asyncio.sleep(account.next_time - now)

    def _refusal(self) -> RequestProblem:
        get_metrics().shed.labels(ShedReason.PACE).inc()
        seconds = max(1, math.ceil(self._account.paced * _REQUEST_SECONDS / _SHARE))
        return RequestProblem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "overloaded",
            f"too many requests from this address are waiting; try again in {seconds} s",
            headers={"Retry-After": str(seconds)},
        )
