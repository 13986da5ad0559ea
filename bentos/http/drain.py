"""The end of a gateway that loses nothing: readiness off, what is in flight, only then the end.

On SIGTERM BentoML stops every process at once (trap 8). Here the gateway goes first: it says that
it is not ready, still answers until whoever sends requests has seen that, then lets what is in
flight end. The supervisor stops the models' processes when the gateway is gone.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

MARKER_VARIABLE = "CHESTXRAY_DRAINED_MARKER"
"""Names the file that says that the drain is over; the supervisor sets it, no operator does."""

_POLL_SECONDS = 0.02


class Drain:
    """Counts the requests in flight, and waits for them."""

    def __init__(self, *, delay: float, timeout: float) -> None:
        self._delay, self._timeout = delay, timeout
        self._requests = 0
        self._done: asyncio.Task[None] | None = None
        self.closed = False
        """Whether requests are no longer taken."""

    @property
    def begun(self) -> bool:
        """Whether the gateway is about to stop."""
        return self._done is not None

    @contextmanager
    def request(self) -> Iterator[None]:
        """Counts a request until it is answered."""
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1

    async def __call__(self, *, delay: float | None = None) -> None:
        """Returns when nothing is in flight, or the time for it is over; again, at once."""
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
