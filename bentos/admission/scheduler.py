"""Fair scheduling of images from several clients, over decoders and models.

A client that is alone gets all decoders, and batches of any size. With other clients active, a
client may have as many images in progress as slots are free, but always one (Choudhury and Hahne
1998, dynamic queue length thresholds; Jin, Chase and Kaur 2004, SFQ(D): fair queueing in front of a
service needs a bound on the work inside). When a decoder becomes free, the client with the least
recent usage goes first.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Self

from bentos.admission import ledger
from bentos.admission.ledger import Account


class Scheduler:
    """Assigns decoders to waiting images; each image holds a slot until its analysis ends."""

    def __init__(self, decoders: int, extra_slots: Callable[[], int]) -> None:
        """There are as many slots as decoders, plus `extra_slots()` for classifier pods."""
        self.decoders = self._free = decoders
        self._extra_slots = extra_slots
        self._running = 0
        self._waiting: dict[Account, deque[Slot]] = {}

    def slot(self) -> "Slot":
        """Creates the slot of an image of the current account."""
        return Slot(self, ledger.current())

    def enqueue(self, slot: "Slot") -> None:
        """Adds a slot to the queue of its account."""
        self._waiting.setdefault(slot.account, deque()).append(slot)
        self._grant()

    def withdraw(self, slot: "Slot") -> None:
        """Removes a slot from its queue, if it is still waiting."""
        queue = self._waiting.get(slot.account, deque())
        if slot in queue:
            queue.remove(slot)
            if not queue:
                del self._waiting[slot.account]

    def release_decoder(self) -> None:
        """Returns a decoder."""
        self._free += 1
        self._grant()

    def release_slot(self, account: Account) -> None:
        """Returns a slot."""
        account.running -= 1
        self._running -= 1
        self._grant()

    def _grant(self) -> None:
        while self._free and (allowed := [a for a in self._waiting if self._may_run(a)]):
            slot = self._waiting[min(allowed, key=lambda each: each.usage)][0]
            self.withdraw(slot)
            if slot.grant():
                self._free -= 1
                self._running += 1
                slot.account.running += 1

    def _may_run(self, account: Account) -> bool:
        spare = self.decoders + self._extra_slots() - self._running
        return account.running < max(1, spare) or account.alone


class Slot:
    """One image's share of the service: a decoder first, and the slot until its analysis ends."""

    def __init__(self, scheduler: Scheduler, account: Account) -> None:
        self._scheduler, self.account = scheduler, account
        self._started = 0.0
        self._granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._has_decoder = self._held = self._open = False

    def __enter__(self) -> Self:
        self._open = True
        return self

    def __exit__(self, *exception: Any) -> None:
        """Releases the slot, or leaves that to `decoded` if a decoder is still busy."""
        self._open = False
        self._scheduler.withdraw(self)
        self._release()

    async def wait(self) -> None:
        """Waits for a decoder, which `decoded` must return."""
        self._scheduler.enqueue(self)
        try:
            await self._granted
        except asyncio.CancelledError:
            self.decoded()  # in case it was granted at the same moment
            raise

    def grant(self) -> bool:
        """Assigns a decoder; returns False if the waiter was cancelled."""
        if self._granted.done():
            return False
        self._granted.set_result(None)
        self.account.ledger.activate(self.account)
        self._started = self.account.ledger.clock()
        self._has_decoder = self._held = True
        return True

    def decoded(self) -> None:
        """Returns the decoder; its time is charged whether or not decoding succeeded."""
        if self._has_decoder:
            self._has_decoder = False
            seconds = self.account.ledger.clock() - self._started
            self.account.decoded(seconds / self._scheduler.decoders)
            self._scheduler.release_decoder()
            self._release()

    def _release(self) -> None:
        if self._held and not (self._open or self._has_decoder):
            self._held = False
            self._scheduler.release_slot(self.account)
