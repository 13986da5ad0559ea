"""Graceful shutdown: fail readiness, finish the requests in flight, then exit.

On SIGTERM BentoML stops every process at once (trap 8). Here the gateway first reports that it is
not ready, keeps serving until proxies have noticed, then finishes the requests in flight. The
supervisor stops the runners after the gateway has exited.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn

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
            pass  # gives up on the requests still in flight


class Signals:
    """Signal handlers that replace those of the server.

    SIGTERM drains and exits. SIGINT does so without waiting for proxies. A second one of either
    exits at once. SIGUSR1 only drains, and creates a file when done.
    """

    def __init__(self, drain: Drain, server: uvicorn.Server) -> None:
        self._drain, self._server = drain, server
        self._stopping = False
        self._tasks: set[asyncio.Task[None]] = set()  # prevents garbage collection

    def install(self) -> None:
        """Replaces the server's handlers in the running loop."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop, None)
        loop.add_signal_handler(signal.SIGINT, self._stop, 0.0)
        loop.add_signal_handler(signal.SIGUSR1, self._start, self._drain_and_mark)

    def _stop(self, delay: float | None) -> None:
        if self._stopping:
            self._server.force_exit = self._server.should_exit = True
        self._stopping = True
        self._start(partial(self._drain_and_exit, delay))

    def _start(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = asyncio.create_task(work())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drain_and_exit(self, delay: float | None) -> None:
        await self._drain(delay=delay)
        self._server.should_exit = True

    async def _drain_and_mark(self) -> None:
        await self._drain()
        if marker := os.environ.get(MARKER_VARIABLE):
            Path(marker).touch()
