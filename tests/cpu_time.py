"""CPU time of a call, measured so that other work of the process does not decide a test.

A process's CPU time includes its other threads, garbage collection and first imports. They only
ever add to it, hence the minimum of several calls.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

REPEATS = 3


def least_cpu_seconds(call: Callable[[], object]) -> float:
    """The fewest CPU seconds that one of REPEATS calls took."""

    async def awaitable() -> None:
        call()

    return asyncio.run(least_cpu_seconds_of(awaitable))


async def least_cpu_seconds_of(call: Callable[[], Awaitable[object]]) -> float:
    """The same of an asynchronous call."""
    seconds = []
    for _ in range(REPEATS):
        started = time.process_time()
        await call()
        seconds.append(time.process_time() - started)
    return min(seconds)
