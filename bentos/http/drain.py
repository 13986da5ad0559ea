"""Graceful shutdown: fail readiness, finish the requests in flight, then exit.

On SIGTERM BentoML stops every process at once (trap 8). Here the gateway first reports that it is
not ready, keeps serving until proxies have noticed, then finishes the requests in flight. The
supervisor stops the models after the gateway has exited.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

MARKER_VARIABLE = "CHESTXRAY_DRAINED_MARKER"
"""Environment variable with the path of the file that marks a completed drain; the supervisor sets
it."""

_POLL_SECONDS = 0.02


class Drain:
    """Counts the requests in flight and waits until there are none."""

    def __init__(self, *, delay: float, timeout: float) -> None:
        self._delay, self._timeout = delay, timeout
        self._requests = 0
        self._done: asyncio.Task[None] | None = None
        self.closed = False
        """Whether new requests are rejected."""

    @property
    def begun(self) -> bool:
        """Whether draining has started."""
        return self._done is not None

    @contextmanager
    def request(self) -> Iterator[None]:
        """Counts a request as in flight."""
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1

    async def __call__(self, *, delay: float | None = None) -> None:
        """Drains; returns when nothing is in flight or after the timeout. Idempotent."""
        if self._done is None:
            self._done = asyncio.create_task(self._run(self._delay if delay is None else delay))
        await asyncio.shield(self._done)

    async def _run(self, delay: float) -> None:
        await asyncio.sleep(delay)
        self.closed = True
        try:
            async with asyncio.timeout(self._timeout):
                while self._requests:
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            pass  # what is still in flight has had its time
