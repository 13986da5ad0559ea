"""A drain waits for proxies, then for what is in flight, then no longer than it may."""

import asyncio
import time

from bentos.http.drain import Drain


def test_drain_ends_when_what_was_in_flight_is_answered() -> None:
    async def main() -> tuple[bool, bool, bool]:
        drain = Drain(delay=0, timeout=60)
        with drain.request():
            done = asyncio.create_task(drain())
            await asyncio.sleep(0.05)
            during = drain.begun, drain.closed, done.done()
        await done
        return during

    assert asyncio.run(main()) == (True, True, False)


def test_requests_are_taken_until_proxies_have_seen() -> None:
    async def main() -> tuple[bool, bool]:
        drain = Drain(delay=0.1, timeout=60)
        done = asyncio.create_task(drain())
        await asyncio.sleep(0.05)
        early = drain.closed
        await done
        return early, drain.closed

    assert asyncio.run(main()) == (False, True)


def test_drain_waits_no_longer_than_it_may() -> None:
    async def main() -> float:
        drain = Drain(delay=0, timeout=0.1)
        with drain.request():
            started = time.monotonic()
            await drain()
            return time.monotonic() - started

    assert 0.1 <= asyncio.run(main()) < 1


def test_second_drain_joins_the_first() -> None:
    async def main() -> None:
        drain = Drain(delay=0.05, timeout=1)
        await asyncio.gather(drain(), drain(delay=60))

    asyncio.run(asyncio.wait_for(main(), 5))
