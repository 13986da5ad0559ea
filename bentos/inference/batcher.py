"""Adaptive batching at the model: images that arrive while a batch runs form the next batch.

A lone image starts at once; under load batches grow to `max_batch` by themselves. A CPU gains
nothing by batches (the bare loop of the benchmark is fastest with one image per core), so there
every core takes the next image as soon as it is free.

BentoML's own dispatcher batches too, but it learns its waiting time under load and keeps it, has no
bound, and computes what nobody waits for any more (docs/bentoml.md, traps 4, 5, 7 and 27). This
queue is bounded in images and in time: what cannot be done before its deadline is refused at once,
so that a client tells a busy model from a dead one. What nobody waits for is never computed.
"""

import asyncio
import math
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import numpy as np
from opentelemetry.trace import SpanContext

from bentos import tracing
from bentos.inference.wire import Rows
from bentos.metric_labels import ModelName, ModelStage
from bentos.metrics import get_metrics
from chestxray.engines import Images
from chestxray.errors import DeadlineExceeded

_WEIGHT = 0.2
"""Of the latest batch in the moving average of seconds per image."""


class Overloaded(Exception):
    """The queue is full, or too long for the deadline of a request."""

    def __init__(self, retry_seconds: float) -> None:
        super().__init__(f"the queue is full for {retry_seconds:.1f} s")
        self.retry_seconds = retry_seconds


@dataclass(frozen=True)
class Answer:
    """Rows (B,) of the images of one request, and their share of the time of their batch."""

    rows: Rows
    seconds: float


@dataclass(eq=False)
class _Item:
    images: Images
    caller: str
    deadline: float  # on the monotonic clock
    alone: bool
    loaded: bool
    answer: "asyncio.Future[Answer]"
    request: SpanContext = field(default_factory=tracing.current)
    since: float = field(default_factory=time.monotonic)


@dataclass(eq=False)
class _Batch:
    items: list[_Item]
    size: int  # images
    beside: int  # batches in flight when it started, itself among them
    started: float = field(default_factory=time.monotonic)

    @property
    def alone(self) -> bool:
        return self.items[0].alone


class Run(Protocol):
    """Runs a model."""

    def __call__(self, images: Images, *, loaded: bool) -> Rows:
        """Returns one row per image. `loaded` says that other images wait or run."""


class Batcher:
    """Runs a model's batches, each in a thread."""

    def __init__(
        self,
        run: Run,
        *,
        model: ModelName,
        stage: ModelStage,
        max_batch: int,
        max_waiting: int,
        parallel: int = 1,
    ) -> None:
        """At most `max_waiting` images wait, and `parallel` batches run at once."""
        self._run, self._model, self._stage = run, model, stage
        self._max_batch, self._max_waiting, self._parallel = max_batch, max_waiting, parallel
        self._threads = ThreadPoolExecutor(parallel, thread_name_prefix=f"{model}-batches")
        self._waiting: list[_Item] = []
        self._running: list[_Batch] = []  # oldest first
        self._seconds_per_image = 0.0

    async def __call__(
        self,
        images: Images,
        *,
        seconds: float,
        caller: str = "",
        alone: bool = False,
        loaded: bool = False,
    ) -> Answer:
        """Returns the rows of `images` (B, 1, SIZE, SIZE) within `seconds`.

        An image that is `alone` shares no batch. `loaded` says that the machine has other work,
        though this model may have none. Raises Overloaded or DeadlineExceeded.
        """
        now = time.monotonic()
        self._admit(len(images), seconds)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        item = _Item(images, caller, now + seconds, alone, loaded, answer)
        self._waiting.append(item)
        self._start()
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + seconds):
                return await answer
        except TimeoutError:
            raise DeadlineExceeded(f"the model had no answer within {seconds:g} s") from None
        finally:
            if item in self._waiting:
                self._drop(item)

    @property
    def busy_seconds(self) -> float:
        """How long the oldest batch in flight has been running; 0 where there is none."""
        return time.monotonic() - self._running[0].started if self._running else 0.0

    def _admit(self, count: int, seconds: float) -> None:
        waiting = sum(len(each.images) for each in self._waiting)
        wait = (waiting + self._in_flight) * self._seconds_per_image
        # An idle model takes everything, or one slow batch would make it refuse for good.
        too_long = wait > 0 and wait + count * self._seconds_per_image > seconds
        if too_long or waiting + count > self._max_waiting:
            raise Overloaded(wait)

    @property
    def _in_flight(self) -> int:
        return sum(batch.size for batch in self._running)

    def _start(self) -> None:
        """Starts batches while there are images and free threads."""
        while self._has_free_thread() and (items := self._next_batch()):
            images = np.concatenate([each.images for each in items])
            batch = _Batch(items, len(images), len(self._running) + 1)
            self._running.append(batch)
            loaded = batch.beside > 1 or bool(self._waiting) or any(each.loaded for each in items)
            requests = [each.request for each in items]
            work = self._threads.submit(self._run_traced, images, requests, loaded)
            work.add_done_callback(partial(self._call_finish, asyncio.get_running_loop(), batch))

    def _has_free_thread(self) -> bool:
        """A retry may kill the process again, so nothing runs beside it."""
        retries = (self._running[:1] and self._running[0].alone) or any(
            each.alone for each in self._waiting
        )
        return len(self._running) < (1 if retries else self._parallel)

    def _call_finish(
        self, loop: asyncio.AbstractEventLoop, batch: _Batch, work: "Future[Rows]"
    ) -> None:
        loop.call_soon_threadsafe(self._finish, batch, work)

    def _finish(self, batch: _Batch, work: "Future[Rows]") -> None:
        self._running.remove(batch)
        # Batches that run side by side share the machine.
        each_took = (time.monotonic() - batch.started) / batch.size / batch.beside
        known = self._seconds_per_image or each_took
        self._seconds_per_image = known + _WEIGHT * (each_took - known)
        self._start()  # first of all: the model must not wait until the answers are written
        error, end = work.exception(), 0
        for each in batch.items:
            start, end = end, end + len(each.images)
            if each.answer.done():  # its caller has left
                continue
            if error:
                each.answer.set_exception(error)
            else:
                rows = work.result()[start:end]
                each.answer.set_result(Answer(rows, each_took * len(rows)))

    def _run_traced(self, images: Images, requests: list[SpanContext], loaded: bool) -> Rows:
        with tracing.batch_span(self._model, requests, len(images)):
            return self._run(images, loaded=loaded)

    def _next_batch(self) -> list[_Item]:
        batch: list[_Item] = []
        size, now, deadline = 0, time.monotonic(), math.inf
        for item in self._in_turn():
            larger = size + len(item.images)
            end = now + larger * self._seconds_per_image
            if item.answer.done() or self._is_too_late(item, now):
                self._drop(item)
                continue
            # A batch grows neither beyond its limit nor beyond the deadlines of those in it.
            full = larger > self._max_batch or end > min(deadline, item.deadline)
            if batch and (item.alone or batch[0].alone or full):
                break
            batch.append(item)
            size, deadline = larger, min(deadline, item.deadline)
        for item in batch:
            self._waiting.remove(item)
        self._measure(batch, size)
        return batch

    def _is_too_late(self, item: _Item, now: float) -> bool:
        """Whether it would be done after its deadline; a new item always has its chance."""
        expected = len(item.images) * self._seconds_per_image
        return item.deadline < now + min(expected, (item.deadline - item.since) / 2)

    def _in_turn(self) -> list[_Item]:
        """Retries first, then one image of each caller, then the next of each: a caller with many
        images delays the others by one.
        """
        places: Counter[str] = Counter()
        ranks = {}
        for item in self._waiting:
            ranks[item] = (not item.alone, places[item.caller])
            places[item.caller] += len(item.images)
        return sorted(self._waiting, key=ranks.__getitem__)

    def _drop(self, item: _Item) -> None:
        """Takes out what nobody waits for, or what would be done too late."""
        self._waiting.remove(item)
        get_metrics().dropped.labels(self._stage).inc(len(item.images))
        if not item.answer.done():
            item.answer.set_exception(DeadlineExceeded("the model has no time for this image"))

    def _measure(self, batch: list[_Item], size: int) -> None:
        metrics, now = get_metrics(), time.monotonic()
        for item in batch:
            metrics.batch_queue_seconds.labels(self._model).observe(now - item.since)
        if batch:
            fill = (self._in_flight + size) / (self._max_batch * self._parallel)
            metrics.batch_fill.labels(self._model).observe(fill)
