"""Waiting for a condition, up to a timeout."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

PATIENCE_SECONDS = 90.0
_POLL_SECONDS = 0.01


def until(happened: Callable[[], Any], *, seconds: float = PATIENCE_SECONDS) -> None:
    """Returns once the condition holds. Raises AssertionError after the timeout."""
    stop = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < stop, f"it did not happen within {seconds:g} s"
        time.sleep(_POLL_SECONDS)


async def until_async(happened: Callable[[], Any], *, seconds: float = PATIENCE_SECONDS) -> None:
    """The same without blocking the event loop. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not happened():
            await asyncio.sleep(_POLL_SECONDS)
