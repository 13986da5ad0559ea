"""Decoders go to the client with the least recent usage, and no client can occupy all of them."""

import asyncio
from collections.abc import Awaitable, Callable

from bentos.admission.ledger import Account, Ledger, serving
from bentos.admission.scheduler import Scheduler, Slot
from tests.unit.bentos.admission.clock import Clock

DECODERS = 2


class Service:
    """A scheduler whose images are decoded, and answered, when a test says so."""

    def __init__(self, decoders: int = DECODERS, *, extra_slots: int = 0) -> None:
        self.clock = Clock()
        self.ledger = Ledger(self.clock)
        self.scheduler = Scheduler(decoders, lambda: extra_slots)
        self.begun: list[tuple[str, Slot]] = []
        self.tasks: list[asyncio.Task[None]] = []
        self._ends: dict[Slot, asyncio.Event] = {}

    async def send(self, caller: str, images: int = 1) -> None:
        for _ in range(images):
            self.tasks.append(asyncio.create_task(self._one(caller)))
        await settle()

    async def _one(self, caller: str) -> None:
        account: Account = self.ledger.account(caller)
        self.ledger.activate(account)
        with serving(account), self.scheduler.slot() as slot:
            await slot.wait()
            self.begun.append((caller, slot))
            self._ends[slot] = asyncio.Event()
            await self._ends[slot].wait()

    async def decode(self, number: int, *, seconds: float = 0.01) -> None:
        """The decoder of one that has begun is done after some seconds."""
        self.clock.now += seconds
        self.begun[number][1].decoded()
        await settle()

    async def answer(self, number: int) -> None:
        self._ends[self.begun[number][1]].set()
        await settle()

    @property
    def callers(self) -> list[str]:
        """Whose images have begun, in order."""
        return [caller for caller, _ in self.begun]


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def run(test: Callable[[Service], Awaitable[None]], decoders: int = DECODERS, **more: int) -> None:
    async def main() -> None:
        service = Service(decoders, **more)
        await test(service)
        for task in service.tasks:
            task.cancel()
        await asyncio.gather(*service.tasks, return_exceptions=True)
        for _, slot in service.begun:
            slot.decoded()
        assert service.scheduler._free == decoders
        assert service.scheduler._running == 0
        assert not service.scheduler._waiting
        assert all(each.idle for each in service.ledger._accounts.values())

    asyncio.run(main())


def test_lone_caller_gets_every_decoder_and_as_many_places_as_it_likes() -> None:
    async def test(service: Service) -> None:
        await service.send("x", images=10)
        for number in range(8):
            assert len(service.begun) == number + DECODERS
            await service.decode(number)

    run(test)


def test_single_image_beside_a_batch_begins_at_once() -> None:
    async def test(service: Service) -> None:
        await service.send("good")
        await service.decode(0)
        await service.answer(0)
        await service.send("hostile", images=16)
        await service.send("good")

        assert service.callers == ["good", "hostile", "good"]

    run(test)


def test_batch_goes_on_one_by_one_beside_another_caller() -> None:
    async def test(service: Service) -> None:
        await service.send("good")
        await service.send("hostile", images=4)
        await service.decode(0)
        await service.answer(0)
        for number in range(1, 4):
            assert len(service.begun) == number + 1
            await service.decode(number)
            await service.answer(number)

    run(test)


def test_more_decoders_are_shared() -> None:
    async def test(service: Service) -> None:
        await service.send("good")
        await service.decode(0)
        await service.answer(0)
        await service.send("hostile", images=16)
        assert service.callers.count("hostile") == 4
        await service.send("another", images=16)
        assert service.callers.count("another") == 2

    run(test, decoders=8)


def test_other_machines_have_places_too() -> None:
    async def test(service: Service) -> None:
        await service.send("good")
        await service.decode(0)
        await service.answer(0)
        await service.send("hostile", images=16)
        for number in range(1, 16):
            if number < len(service.begun):
                await service.decode(number)

        assert service.callers.count("hostile") == 5

    run(test, extra_slots=8)


def test_caller_that_used_least_goes_first() -> None:
    async def test(service: Service) -> None:
        await service.send("costly")
        await service.decode(0, seconds=5.0)
        await service.answer(0)
        await service.send("one")
        await service.send("two")
        await service.send("costly")
        await service.send("cheap")
        await service.decode(1)

        assert service.callers == ["costly", "one", "two", "cheap"]

    run(test)


def test_decoder_that_nobody_waits_for_still_counts_for_its_caller() -> None:
    """Else clients that send costly files and leave would hold all decoders."""

    async def test(service: Service) -> None:
        await service.send("good")
        await service.decode(0)
        await service.answer(0)
        await service.send("hostile")
        service.tasks[-1].cancel()
        await service.send("hostile", images=3)

        assert service.callers == ["good", "hostile"]
        await service.decode(1, seconds=3.0)
        assert service.callers == ["good", "hostile", "hostile"]
        assert service.ledger.look_up("hostile").usage > 1.0

    run(test)


def test_what_is_cancelled_while_it_waits_never_begins() -> None:
    async def test(service: Service) -> None:
        await service.send("x", images=4)
        service.tasks[2].cancel()
        await settle()
        await service.decode(0)
        await service.decode(1)

        assert len(service.begun) == 3

    run(test)


def test_turn_that_is_granted_and_cancelled_at_once_is_given_back() -> None:
    async def test(service: Service) -> None:
        await service.send("x", images=3)
        service.begun[0][1].decoded()  # grants the third
        service.tasks[2].cancel()
        await settle()
        await service.send("x")

        assert len(service.begun) == 3

    run(test)
