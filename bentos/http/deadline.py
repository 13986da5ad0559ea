"""Cancels a request at its deadline or when its client disconnects."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

from fastapi import Request
from starlette.requests import ClientDisconnect

from bentos.settings import Settings
from chestxray.errors import DeadlineExceeded


class Deadline:
    """Context manager that cancels its body at the deadline and raises DeadlineExceeded."""

    def __init__(self, timeout_ms: int | None, settings: Settings) -> None:
        longest = settings.request_timeout_seconds
        self._seconds = min(longest, timeout_ms / 1000) if timeout_ms else longest
        self._timeout = asyncio.timeout(self._seconds)

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(self, *exception: Any) -> None:
        try:
            await self._timeout.__aexit__(*exception)
        except TimeoutError as error:
            raise DeadlineExceeded(f"no result within {self._seconds:g} s") from error


@asynccontextmanager
async def while_connected(request: Request) -> AsyncIterator[None]:
    """Cancels its body when the client disconnects, and raises ClientDisconnect.

    The request's body must have been read completely.
    """
    work = asyncio.current_task()
    assert work is not None
    watch = asyncio.create_task(_disconnect(request))
    watch.add_done_callback(lambda done: done.cancelled() or work.cancel())
    try:
        yield
    except asyncio.CancelledError:
        if not watch.done():
            raise
        work.uncancel()
        raise ClientDisconnect from None
    finally:
        watch.cancel()


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
