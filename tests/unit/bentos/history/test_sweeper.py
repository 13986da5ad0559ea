"""When a sweep begins."""

import asyncio

from bentos.history.sweeper import Sweeper


def test_sweep_that_is_asked_for_during_another_follows_at_once() -> None:
    begun = 0

    async def sweep() -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            sweeper.soon()

    sweeper = Sweeper(sweep)

    async def main() -> None:
        running = asyncio.create_task(sweeper.run())
        async with asyncio.timeout(5):
            while begun < 2:
                await asyncio.sleep(0.01)
        running.cancel()

    asyncio.run(main())
