"""Slows down a caller that takes more than its share of the gateway's own time beside others.

Requests are parsed, and bodies read, by one thread for all callers. What costs no analysis is not
refused, which would cost as much, but waits: a client that waits for its answer, or for its body to
be read, sends less. The rule is the generic cell rate algorithm (ITU-T I.371), in seconds of the
thread. It holds while another caller has images analysed, and where the thread is busy while
another one asks for anything at all.
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
"""Of the thread's time, for each caller that is not alone."""
_BURST_SECONDS = 0.1
"""Of the thread's time, taken at once without waiting: a page with all its files, some times."""
_BUSY_SHARE = 0.3
"""Of a core: decoders and models may leave the thread no more of it."""
_WINDOW_SECONDS = 0.05
_REQUEST_SECONDS, _BYTE_SECONDS = 1.5e-3, 2e-9
"""What the thread needs for a request of any kind, and for a byte of a form, as measured."""
_MAX_WAITING = 256
"""Requests of one caller that wait; its clients may be gone, and each takes memory."""


class Busyness:
    """Whether the event loop's thread has much to do, or had lately."""

    def __init__(self, clock: Clock, spent: Clock = time.thread_time) -> None:
        """`spent` gives the processor time of the calling thread, in seconds."""
        self._clock, self._spent = clock, spent
        self._since, self._before = clock(), spent()
        self._until = -math.inf

    def look(self) -> bool:
        """Returns the latest measurement, or a new one where that is older than the window."""
        now = self._clock()
        if (passed := now - self._since) >= _WINDOW_SECONDS:
            spent = self._spent()
            if spent - self._before > _BUSY_SHARE * passed:
                self._until = now + ACTIVE_SECONDS
            self._since, self._before = now, spent
        return now < self._until


class Pacing:
    """Keeps every caller's pace."""

    def __init__(
        self, ledger: Ledger, trusted_proxies: Networks, busyness: Busyness | None = None
    ) -> None:
        self._ledger, self._trusted_proxies = ledger, trusted_proxies
        self._busyness = busyness or Busyness(ledger.clock)

    def of(self, scope: Scope) -> "Pace":
        """The pace of a request's caller."""
        account = self._ledger.account(caller_of(scope, self._trusted_proxies))
        return Pace(account, self._busyness)


class Pace:
    """One caller's."""

    def __init__(self, account: Account, busyness: Busyness) -> None:
        self._account, self._busyness = account, busyness

    async def request(self, *, counts: bool = True) -> None:
        """Returns when it is a request's time. Raises RequestProblem 503 where too many wait.

        One that does not count, as of who watches the service, slows down nobody else.
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
        """A body that is read at the pace of its caller."""

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
            f"too many requests of this address wait; try again in {seconds} s",
            headers={"Retry-After": str(seconds)},
        )
