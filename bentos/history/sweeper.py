"""Sweeps again and again, in a gateway's background."""

import asyncio
import random
from collections.abc import Awaitable, Callable

_SECONDS = 60.0


class Sweeper:
    """Calls `sweep`, which handles its own failures, every minute, or sooner where asked."""

    def __init__(self, sweep: Callable[[], Awaitable[None]]) -> None:
        self._sweep = sweep
        self._asked = asyncio.Event()

    def soon(self) -> None:
        """Lets the next sweep begin at once, also where one is running."""
        self._asked.set()

    async def run(self) -> None:
        """Sweeps until it is cancelled."""
        while True:
            self._asked.clear()  # before the sweep: what is asked for during it is not lost
            await self._sweep()
            # Several gateways, started at once, do not all sweep at once.
            pause = _SECONDS * random.uniform(0.5, 1.5)
            try:
                await asyncio.wait_for(self._asked.wait(), pause)
            except TimeoutError:
                continue
