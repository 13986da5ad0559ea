"""Gathers the images that wait for a model while a hop to it is under way, into the next hop.

BentoML's adaptive batching would do this too, but what it learns under load it keeps: after a
burst it lets a lone request wait for company as long as requests waited on average. With one hop
at a time nothing ever queues there, a lone image goes at once, and fewer, larger hops cost less.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import numpy as np

from bentos.runner import Images, Rows

Ask = Callable[[Images], Awaitable[Rows]]
Waiting = tuple[Images, "asyncio.Future[Rows]"]


class Coalescer:
    """Asks one model for many callers; each gets its own rows, or the error of its hop."""

    def __init__(self, ask: Ask, *, largest: int) -> None:
        self._ask, self._largest = ask, largest
        self._waiting: deque[Waiting] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def __call__(self, images: Images) -> Rows:
        """Returns one row per image, in order."""
        answer: asyncio.Future[Rows] = asyncio.get_running_loop().create_future()
        self._waiting.append((images, answer))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await answer

    async def _work(self) -> None:
        while self._waiting:
            hop = self._next_hop()
            try:
                rows = await self._ask(np.concatenate([images for images, _ in hop]))
            except Exception as error:  # it belongs to the callers, not to this task
                for _, answer in hop:
                    _settle(answer, error)
            else:
                ends = np.cumsum([len(images) for images, _ in hop])
                for (_, answer), own in zip(hop, np.split(rows, ends[:-1]), strict=True):
                    _settle(answer, own)

    def _next_hop(self) -> list[Waiting]:
        hop = [self._waiting.popleft()]
        size = len(hop[0][0])
        while self._waiting and size + len(self._waiting[0][0]) <= self._largest:
            hop.append(self._waiting.popleft())
            size += len(hop[-1][0])
        return hop


def _settle(answer: "asyncio.Future[Rows]", outcome: Rows | Exception) -> None:
    if answer.done():  # its caller was cancelled
        return
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
