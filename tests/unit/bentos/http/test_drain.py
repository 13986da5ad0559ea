"""A drain waits for proxies, then for requests in flight, up to its timeout."""

import asyncio

import pytest

from bentos.http.drain import Drain
from tests.unit.bentos.timeless import run, seconds_of


def test_drain_ends_when_requests_in_flight_are_answered() -> None:
    async def main() -> tuple[bool, bool, bool]:
        drain = Drain(delay=0, timeout=60)
        with drain.request():
            done = asyncio.create_task(drain())
            await asyncio.sleep(30)
            during = drain.begun, drain.closed, done.done()
        await done
        return during

    assert run(main()) == (True, True, False)


def test_requests_are_accepted_during_the_drain_delay() -> None:
    async def main() -> tuple[bool, bool]:
        drain = Drain(delay=3, timeout=60)
        done = asyncio.create_task(drain())
        await asyncio.sleep(2)
        early = drain.closed
        await done
        return early, drain.closed

    assert run(main()) == (False, True)


def test_drain_waits_no_longer_than_its_timeout() -> None:
    async def main() -> float:
        drain = Drain(delay=0, timeout=60)
        with drain.request():
            return await seconds_of(drain())

    assert run(main()) == pytest.approx(60, abs=1)


def test_second_drain_joins_the_first() -> None:
    async def main() -> float:
        drain = Drain(delay=3, timeout=60)
        return await seconds_of(asyncio.gather(drain(), drain(delay=60)))

    assert run(main()) == pytest.approx(3, abs=1)
