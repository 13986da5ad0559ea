"""A client that sends too many requests is slowed when there is another client; others are not."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bentos.admission import pacing
from bentos.admission.ledger import Ledger
from bentos.admission.pacing import Pace, Pacing
from bentos.http.problems import RequestProblem
from tests.unit.bentos import timeless
from tests.unit.bentos.timeless import seconds_of

PER_SECOND = pacing._SHARE / pacing._REQUEST_SECONDS
BURST = round(pacing._BURST_SECONDS / pacing._REQUEST_SECONDS)
MEGABYTE = 2**20


Test = Callable[[Pace, Pace], Awaitable[None]]


def run(test: Test, *, alone: bool = False) -> None:
    """Runs a test with the paces of a hostile client and of a good one that sends images."""

    async def main() -> None:
        ledger = Ledger(asyncio.get_running_loop().time)
        paces = Pacing(ledger, ())
        hostile, good = (paces.of(scope(address)) for address in ("127.0.0.2", "127.0.0.1"))
        ledger.activate(ledger.account("127.0.0.2" if alone else "127.0.0.1"))
        await test(hostile, good)

    timeless.run(main())


def scope(address: str) -> dict[str, Any]:
    return {"type": "http", "headers": [], "client": (address, 1)}


async def requests(pace: Pace, count: int) -> None:
    for _ in range(count):
        await pace.request()


def test_flooding_client_is_slowed_to_its_share_of_the_event_loop() -> None:
    async def test(hostile: Pace, good: Pace) -> None:
        await requests(hostile, BURST)

        seconds = await seconds_of(requests(hostile, 200))

        assert seconds == pytest.approx(200 / PER_SECOND, rel=0.1)

    run(test)


def test_flood_does_not_slow_another_client() -> None:
    async def test(hostile: Pace, good: Pace) -> None:
        flood = asyncio.create_task(requests(hostile, 1000))
        await asyncio.sleep(0)

        assert await seconds_of(requests(good, 10)) < 0.1
        flood.cancel()

    run(test)


def test_burst_as_large_as_a_page_load_is_not_slowed() -> None:
    async def test(hostile: Pace, good: Pace) -> None:
        assert await seconds_of(requests(hostile, BURST - 1)) < 0.1

    run(test)


def test_only_client_is_never_slowed() -> None:
    async def test(hostile: Pace, good: Pace) -> None:
        assert await seconds_of(requests(hostile, 10_000)) < 1

    run(test, alone=True)


def test_request_body_is_read_at_the_pace_of_its_client() -> None:
    async def test(hostile: Pace, good: Pace) -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": bytes(MEGABYTE), "more_body": True}

        async def read(pace: Pace, megabytes: int) -> None:
            paced = pace.receive(receive)  # type: ignore[arg-type]
            for _ in range(megabytes):
                await paced()

        await requests(hostile, BURST)
        slow = await seconds_of(read(hostile, 200))

        assert slow == pytest.approx(200 * MEGABYTE * pacing._BYTE_SECONDS / pacing._SHARE, rel=0.1)
        assert await seconds_of(read(good, 40)) < slow / 10

    run(test)


def test_number_of_waiting_requests_is_bounded() -> None:
    """A client may disconnect while its request waits, and reconnect."""

    async def test(hostile: Pace, good: Pace) -> None:
        tasks = [asyncio.create_task(hostile.request()) for _ in range(5000)]
        await asyncio.sleep(0)
        answers = await asyncio.gather(*tasks, return_exceptions=True)

        refused = [each for each in answers if isinstance(each, RequestProblem)]
        assert len(refused) >= 5000 - pacing._MAX_WAITING - BURST
        assert {each.code for each in refused} == {"overloaded"}
        assert all(int(each.headers["Retry-After"]) >= 1 for each in refused)
        await good.request()

    run(test)


def busyness_after(spent: float) -> pacing.Busyness:
    """A thread that was busy for this part of the last second."""
    clock = iter((0.0, 1.0, 1.0, 1.0, 1.0))
    return pacing.Busyness(lambda: next(clock), iter((0.0, spent)).__next__)


@pytest.mark.parametrize(("spent", "busy"), [(0.9, True), (0.1, False)])
def test_event_loop_is_busy_when_it_uses_most_of_its_cpu_time(spent: float, busy: bool) -> None:
    thread = busyness_after(spent)

    assert thread.look() is busy
    assert thread.look() is busy  # and for a while after


@pytest.mark.parametrize(("busy", "asks"), [(True, True), (True, False), (False, True)])
def test_flood_is_slowed_for_clients_without_images_only_if_the_loop_is_busy(
    busy: bool, asks: bool
) -> None:
    """30,000 pipelined GET requests of one client kept another client waiting for 14 s."""

    async def main() -> None:
        clock = asyncio.get_running_loop().time
        work = iter(range(10**6)) if busy else iter([0.0] * 10**6)
        thread = pacing.Busyness(clock, lambda: float(next(work)))
        paces = Pacing(Ledger(clock), (), thread)
        hostile, good = (paces.of(scope(address)) for address in ("127.0.0.2", "127.0.0.1"))
        await good.request(counts=asks)
        await asyncio.sleep(1)

        seconds = await seconds_of(requests(hostile, BURST + round(3 * PER_SECOND)))

        assert seconds == pytest.approx(3 if busy and asks else 0, abs=0.5)
        assert await seconds_of(requests(good, 5)) < 0.1

    timeless.run(main())
