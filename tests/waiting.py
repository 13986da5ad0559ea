"""Waiting for what happens elsewhere, as long as it takes and no longer than it may."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

PATIENCE_SECONDS = 30.0
_POLL_SECONDS = 0.01


def until(happened: Callable[[], Any], *, seconds: float = PATIENCE_SECONDS) -> None:
    """Returns once it has. Raises AssertionError."""
    stop = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < stop, f"it did not happen within {seconds:g} s"
        time.sleep(_POLL_SECONDS)


async def until_async(happened: Callable[[], Any], *, seconds: float = PATIENCE_SECONDS) -> None:
    """The same in an event loop, whose other tasks go on. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not happened():
            await asyncio.sleep(_POLL_SECONDS)
