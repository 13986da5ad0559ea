"""Whose image is worked on next, decoders and models together.

A caller that is alone gets all decoders, and batches as large as the models take. Once another one
is there too, a caller may have as many images under way as places are still free (Choudhury and
Hahne 1998, dynamic queue length thresholds; Jin, Chase and Kaur 2004, SFQ(D): fairness in front of
a service needs a bound on what is inside), but always one. Where decoders are short, the caller
goes first that used least lately.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Self

from bentos.admission import ledger
from bentos.admission.ledger import Account


class Scheduler:
    """Gives decoders to the images that wait, and each of them a place until its analysis ends."""

    def __init__(self, decoders: int, more_places: Callable[[], int]) -> None:
        """Places are as many as decoders, and `more_places` where other machines work as well."""
        self.decoders = self._free = decoders
        self._more_places = more_places
        self._running = 0
        self._waiting: dict[Account, deque[Slot]] = {}

    def turn(self) -> "Slot":
        """The turn of an image of the current account's."""
        return Slot(self, ledger.current())

    def enter(self, turn: "Slot") -> None:
        """Puts it among those that wait."""
        self._waiting.setdefault(turn.account, deque()).append(turn)
        self._grant()

    def withdraw(self, turn: "Slot") -> None:
        """Takes it from those that wait, where it is one of them."""
        own = self._waiting.get(turn.account, deque())
        if turn in own:
            own.remove(turn)
            if not own:
                del self._waiting[turn.account]

    def free_decoder(self) -> None:
        """Takes a decoder back."""
        self._free += 1
        self._grant()

    def free_place(self, account: Account) -> None:
        """Takes a place back."""
        account.running -= 1
        self._running -= 1
        self._grant()

    def _grant(self) -> None:
        while self._free and (allowed := [a for a in self._waiting if self._may_run(a)]):
            turn = self._waiting[min(allowed, key=lambda each: each.usage)][0]
            self.withdraw(turn)
            if turn.grant():
                self._free -= 1
                self._running += 1
                turn.account.running += 1

    def _may_run(self, account: Account) -> bool:
        spare = self.decoders + self._more_places() - self._running
        return account.running < max(1, spare) or account.alone


class Slot:
    """One image's: a decoder first, and a place until the end."""

    def __init__(self, turns: Scheduler, account: Account) -> None:
        self._turns, self.account = turns, account
        self._started = 0.0
        self._granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._has_decoder = self._has_place = self._open = False

    def __enter__(self) -> Self:
        self._open = True
        return self

    def __exit__(self, *exception: Any) -> None:
        """Ends the turn; a decoder may still be busy with the image, and keeps the place."""
        self._open = False
        self._turns.withdraw(self)
        self._leave()

    async def wait(self) -> None:
        """Returns once there is a decoder for the image, which `decoded` must give back."""
        self._turns.enter(self)
        try:
            await self._granted
        except asyncio.CancelledError:
            self.decoded()  # where it was granted at the same moment
            raise

    def grant(self) -> bool:
        """Gives it a decoder and a place, unless nobody waits for it any more."""
        if self._granted.done():
            return False
        self._granted.set_result(None)
        self.account.ledger.activate(self.account)
        self._started = self.account.ledger.clock()
        self._has_decoder = self._has_place = True
        return True

    def decoded(self) -> None:
        """Gives the decoder back; the time counts whatever came of it."""
        if self._has_decoder:
            self._has_decoder = False
            seconds = self.account.ledger.clock() - self._started
            self.account.decoded(seconds / self._turns.decoders)
            self._turns.free_decoder()
            self._leave()

    def _leave(self) -> None:
        if self._has_place and not (self._open or self._has_decoder):
            self._has_place = False
            self._turns.free_place(self.account)
