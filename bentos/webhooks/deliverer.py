"""Delivers, in the background of a gateway."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from bentos.database.errors import StorageUnavailable
from bentos.history.encryption import Keyring
from bentos.history.errors import CannotDecrypt
from bentos.history_metrics import get_history_metrics
from bentos.webhooks.deliveries import Claim, Deliveries
from bentos.webhooks.sending import Answer, Failure, Sender
from bentos.webhooks.signing import headers

logger = logging.getLogger(__name__)

AT_ONCE = 16
"""Deliveries in progress in one gateway; of one caller there is never more than one."""
_POLL_SECONDS = 1.0
_MEASURE_SECONDS = 15.0


class Deliverer:
    """Claims deliveries that are due, and sends them."""

    def __init__(
        self,
        deliveries: Deliveries,
        sender: Sender,
        keyring: Keyring,
        *,
        is_stopping: Callable[[], bool] = lambda: False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._deliveries, self._sender, self._keyring = deliveries, sender, keyring
        self._is_stopping, self._now = is_stopping, now
        self._measured = -_MEASURE_SECONDS
        self._busy: dict[asyncio.Task[None], str] = {}

    async def run(self) -> None:
        """Delivers until it is cancelled; what it has begun is then left to another gateway."""
        try:
            while True:
                if not await self._begin_one():
                    await self._wait()
        finally:
            for task in self._busy:
                task.cancel()
            await asyncio.gather(*self._busy, return_exceptions=True)

    async def deliver(self, claim: Claim) -> None:
        """Makes one attempt. Raises StorageUnavailable: then the claim ends by itself."""
        try:
            answer = await self._attempt(claim)
        except asyncio.CancelledError:
            await asyncio.shield(self._deliveries.put_back(claim, now=self._now()))
            raise
        outcome = await self._deliveries.settle(claim, answer, now=self._now())
        if outcome:
            get_history_metrics().webhook_deliveries.labels(outcome).inc()

    async def measure(self) -> None:
        """Exports what waits. Raises StorageUnavailable."""
        backlog, metrics = await self._deliveries.backlog(now=self._now()), get_history_metrics()
        metrics.webhooks_waiting.set(backlog.waiting)
        metrics.webhooks_overdue.set(backlog.overdue_seconds)

    async def _begin_one(self) -> bool:
        """Begins a delivery; False where there is none, or as many are in progress as may be."""
        try:
            if time.monotonic() - self._measured > _MEASURE_SECONDS:
                self._measured = time.monotonic()
                await self.measure()
            if self._is_stopping() or len(self._busy) >= AT_ONCE:
                return False
            claim = await self._deliveries.claim(now=self._now(), busy=set(self._busy.values()))
        except StorageUnavailable as error:
            logger.debug("deliveries to webhooks are unavailable: %s", error)
            return False
        if claim is None:
            return False
        self._busy[asyncio.create_task(self._deliver(claim))] = claim.endpoint.owner
        return True

    async def _wait(self) -> None:
        if self._busy:
            first = asyncio.FIRST_COMPLETED
            await asyncio.wait(self._busy, timeout=_POLL_SECONDS, return_when=first)
        else:
            await asyncio.sleep(_POLL_SECONDS)
        self._busy = {task: owner for task, owner in self._busy.items() if not task.done()}

    async def _deliver(self, claim: Claim) -> None:
        try:
            await self.deliver(claim)
        except StorageUnavailable as error:
            logger.debug("what became of a delivery could not be stored: %s", error)

    async def _attempt(self, claim: Claim) -> Answer:
        now = self._now()
        try:
            secrets = claim.endpoint.secrets(self._keyring, now=now)
        except CannotDecrypt as error:
            logger.error("nothing is delivered to a webhook: %s", error)
            return Answer(failure=Failure.SECRET)
        signed = headers(claim.id, claim.payload, secrets, now=now)
        try:
            return await self._sender.send(claim.endpoint.url, signed, claim.payload.encode())
        except Exception:  # a bug must not end all deliveries, nor repeat this one forever
            logger.exception("a delivery to a webhook failed")
            return Answer(failure=Failure.PROTOCOL)
