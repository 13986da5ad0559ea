"""Decoders go to the client with the least recent usage, and no client can occupy all of them."""

import asyncio
from collections.abc import Awaitable, Callable

from bentos.admission.ledger import Account, Ledger, serving
from bentos.admission.scheduler import Scheduler, Slot
from tests.unit.bentos.admission.clock import Clock

DECODERS = 2


class Service:
    """A scheduler for which a test decides when images are decoded and answered."""

    def __init__(self, decoders: int = DECODERS, *, extra_slots: int = 0) -> None:
        self.clock = Clock()
        self.ledger = Ledger(self.clock)
        self.scheduler = Scheduler(decoders, lambda: extra_slots)
        self.begun: list[tuple[str, Slot]] = []
        self.tasks: list[asyncio.Task[None]] = []
        self._ends: dict[Slot, asyncio.Event] = {}

    async def send(self, client: str, images: int = 1) -> None:
        for _ in range(images):
            self.tasks.append(asyncio.create_task(self._one(client)))
        await settle()

    async def _one(self, client: str) -> None:
        account: Account = self.ledger.account(client)
        self.ledger.activate(account)
        with serving(account), self.scheduler.slot() as slot:
            await slot.wait()
            self.begun.append((client, slot))
            self._ends[slot] = asyncio.Event()
            await self._ends[slot].wait()

    async def decode(self, number: int, *, seconds: float = 0.01) -> None:
        """Ends the decoding of an image that has begun, after some seconds."""
        self.clock.now += seconds
        self.begun[number][1].decoded()
        await settle()

    async def answer(self, number: int) -> None:
        self._ends[self.begun[number][1]].set()
        await settle()

    @property
    def clients(self) -> list[str]:
        """The clients whose images have begun, in order."""
        return [client for client, _ in self.begun]


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


def test_only_client_gets_every_decoder_and_unlimited_slots() -> None:
    async def test(service: Service) -> None:
        await service.send("x", images=10)
        for number in range(8):
            assert len(service.begun) == number + DECODERS
            await service.decode(number)

    run(test)


def test_single_image_begins_at_once_during_another_clients_batch() -> None:
    async def test(service: Service) -> None:
        await service.send("good")
        await service.decode(0)
        await service.answer(0)
        await service.send("hostile", images=16)
        await service.send("good")

        assert service.clients == ["good", "hostile", "good"]

    run(test)


def test_batch_gets_one_decoder_at_a_time_while_another_client_is_active() -> None:
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


def test_eight_decoders_are_shared_between_clients() -> None:
    async def test(service: Service) -> None:
        await service.send("good")
        await service.decode(0)
        await service.answer(0)
        await service.send("hostile", images=16)
        assert service.clients.count("hostile") == 4
        await service.send("another", images=16)
        assert service.clients.count("another") == 2

    run(test, decoders=8)


def test_slots_of_remote_pods_raise_a_clients_limit() -> None:
    async def test(service: Service) -> None:
        await service.send("good")
        await service.decode(0)
        await service.answer(0)
        await service.send("hostile", images=16)
        for number in range(1, 16):
            if number < len(service.begun):
                await service.decode(number)

        assert service.clients.count("hostile") == 5

    run(test, extra_slots=8)


def test_client_with_the_least_recent_usage_goes_first() -> None:
    async def test(service: Service) -> None:
        await service.send("costly")
        await service.decode(0, seconds=5.0)
        await service.answer(0)
        await service.send("one")
        await service.send("two")
        await service.send("costly")
        await service.send("cheap")
        await service.decode(1)

        assert service.clients == ["costly", "one", "two", "cheap"]

    run(test)


def test_decoder_of_a_cancelled_request_still_counts_for_its_client() -> None:
    """Otherwise clients that send costly files and disconnect would occupy all decoders."""

    async def test(service: Service) -> None:
        await service.send("good")
        await service.decode(0)
        await service.answer(0)
        await service.send("hostile")
        service.tasks[-1].cancel()
        await service.send("hostile", images=3)

        assert service.clients == ["good", "hostile"]
        await service.decode(1, seconds=3.0)
        assert service.clients == ["good", "hostile", "hostile"]
        assert service.ledger.look_up("hostile").usage > 1.0

    run(test)


def test_image_cancelled_while_queued_never_begins() -> None:
    async def test(service: Service) -> None:
        await service.send("x", images=4)
        service.tasks[2].cancel()
        await settle()
        await service.decode(0)
        await service.decode(1)

        assert len(service.begun) == 3

    run(test)


def test_slot_granted_to_a_cancelled_request_is_released() -> None:
    async def test(service: Service) -> None:
        await service.send("x", images=3)
        service.begun[0][1].decoded()  # grants the third
        service.tasks[2].cancel()
        await settle()
        await service.send("x")

        assert len(service.begun) == 3

    run(test)
