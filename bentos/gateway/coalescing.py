"""Gathers the images that wait for a model while a hop to it is under way, into the next hop.

BentoML's adaptive batching would do this too, but what it learns under load it keeps: after a
burst it lets a lone request wait for company as long as requests waited on average. With one hop
at a time nothing ever queues there, a lone image goes at once, and fewer, larger hops cost less.
What nobody waits for any more is dropped here, before it costs the model anything.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import numpy as np
from opentelemetry.trace import SpanContext

from bentos.gateway import tracing
from bentos.metrics import get_metrics
from bentos.runner import Rows
from chestxray.engines import Images
from chestxray.errors import ModelUnavailable

Ask = Callable[[Images], Awaitable[Rows]]

_TRIES = 3
_PAUSE_SECONDS = 0.05


class ConnectionLost(Exception):
    """The model went away with a hop; what was asked may be asked again."""


@dataclass
class _Waiting:
    images: Images
    answer: "asyncio.Future[Rows]"
    request: SpanContext = field(default_factory=tracing.current)
    since: float = field(default_factory=time.monotonic)
    tries: int = 0


class Coalescer:
    """Asks one model for many callers; each gets its own rows, or the error of its hop."""

    def __init__(self, ask: Ask, *, model: str, stage: str, largest: int) -> None:
        self._ask, self._model, self._stage, self._largest = ask, model, stage, largest
        self._waiting: deque[_Waiting] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def __call__(self, images: Images) -> Rows:
        """Returns one row per image, in order. Raises ModelUnavailable."""
        answer: asyncio.Future[Rows] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(images, answer))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await answer

    async def _work(self) -> None:
        while hop := self._next_hop():
            try:
                images = np.concatenate([each.images for each in hop])
                requests = [each.request for each in hop]
                with tracing.batch_span(self._model, requests, len(images)):
                    rows = await self._ask(images)
            except ConnectionLost:
                self._ask_again(hop)
                await asyncio.sleep(_PAUSE_SECONDS)
            except Exception as error:  # it belongs to the callers, not to this task
                for each in hop:
                    _settle(each, error)
            else:
                ends = np.cumsum([len(each.images) for each in hop])
                for each, own in zip(hop, np.split(rows, ends[:-1]), strict=True):
                    _settle(each, own)

    def _next_hop(self) -> list[_Waiting]:
        hop: list[_Waiting] = []
        size = 0
        while self._waiting:
            first = self._waiting[0]
            if first.answer.done():  # its caller has left, or its time is over
                get_metrics().dropped.labels(self._stage).inc(len(first.images))
                self._waiting.popleft()
                continue
            # What went down with a model goes alone, in case that it took the model with it.
            if hop and (first.tries or hop[0].tries or size + len(first.images) > self._largest):
                break
            hop.append(self._waiting.popleft())
            size += len(first.images)
        self._measure(hop)
        return hop

    def _measure(self, hop: list[_Waiting]) -> None:
        now = time.monotonic()
        for each in hop:
            get_metrics().batch_queue_seconds.labels(self._model).observe(now - each.since)
        if hop:
            fill = sum(len(each.images) for each in hop) / self._largest
            get_metrics().batch_fill.labels(self._model).observe(fill)

    def _ask_again(self, hop: list[_Waiting]) -> None:
        for each in reversed(hop):
            each.tries += 1
            if each.tries < _TRIES:
                self._waiting.appendleft(each)
            else:
                _settle(each, ModelUnavailable("a model does not answer; try again"))


def _settle(waiting: _Waiting, outcome: Rows | Exception) -> None:
    if waiting.answer.done():  # its caller was cancelled
        return
    if isinstance(outcome, Exception):
        waiting.answer.set_exception(outcome)
    else:
        waiting.answer.set_result(outcome)
