"""How much is let in at once: images and bytes, both bounded; what is over is told when to return.

BentoML's own batch queue has no bound (trap 5), so nothing may reach it that holds no room here,
and what has reached it keeps its room until it is out again, though its client is long gone.
"""

import asyncio
import math
import random
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, TypeVar

from bentos.gateway.problems import RequestProblem
from bentos.metrics import get_metrics

R = TypeVar("R")

_SMOOTHING = 0.1
_FIRST_GUESS_SECONDS = 0.1
_MAX_RETRY_SECONDS = 60


class Admission:
    """Counts what is in the house, and how long an image takes."""

    def __init__(self, *, max_images: int, max_bytes: int) -> None:
        self._max_images, self._max_bytes = max_images, max_bytes
        self._images = self._bytes = 0
        self._seconds_per_image = _FIRST_GUESS_SECONDS

    @contextmanager
    def admit(self) -> Iterator["Ticket"]:
        """Lets a request in while there is room. Raises RequestProblem 503."""
        if self._images >= self._max_images:
            raise self._refusal("images")
        ticket = Ticket(self)
        try:
            yield ticket
        finally:
            ticket.close()

    def add(self, *, images: int = 0, count: int = 0) -> None:
        """Takes room for images and bytes. Raises RequestProblem 503."""
        if self._images + images > self._max_images:
            raise self._refusal("images")
        if self._bytes + count > self._max_bytes:
            raise self._refusal("bytes")
        self._move(images, count)

    def remove(self, *, images: int, count: int, seconds: float) -> None:
        """Gives room back that was held for some seconds."""
        if images:
            # Little's law: time in the house = images in the house times time per image.
            measured = seconds / self._images
            self._seconds_per_image += _SMOOTHING * (measured - self._seconds_per_image)
        self._move(-images, -count)

    def _move(self, images: int, count: int) -> None:
        self._images += images
        self._bytes += count
        get_metrics().in_flight.labels("admitted").set(self._images)

    def _refusal(self, reason: str) -> RequestProblem:
        get_metrics().shed.labels(reason).inc()
        wait = self._images * self._seconds_per_image * random.uniform(1.0, 1.5)  # apart, not all
        seconds = min(_MAX_RETRY_SECONDS, max(1, math.ceil(wait)))
        return RequestProblem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "overloaded",
            f"the service is at its capacity; try again in {seconds} s",
            headers={"Retry-After": str(seconds)},
        )


class Ticket:
    """The room of one request."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._images = self._bytes = 0
        self._started = time.monotonic()
        self._work: asyncio.Task[Any] | None = None

    def add_bytes(self, count: int) -> None:
        """Takes room for bytes of the body. Raises RequestProblem 503."""
        self._admission.add(count=count)
        self._bytes += count

    def add_images(self, count: int) -> None:
        """Takes room for the images of the request. Raises RequestProblem 503."""
        self._admission.add(images=count)
        self._images += count
        self._started = time.monotonic()

    async def run(self, work: Coroutine[Any, Any, R]) -> R:
        """Awaits work that goes on, and keeps its room, where the caller gives up."""
        self._work = asyncio.create_task(work)
        return await asyncio.shield(self._work)

    def close(self) -> None:
        """Gives the room back, once the work is done."""
        if self._work is not None and not self._work.done():
            self._work.add_done_callback(self._abandoned)
        else:
            self._release()

    def _abandoned(self, work: asyncio.Task[Any]) -> None:
        work.cancelled() or work.exception()
        self._release()

    def _release(self) -> None:
        self._admission.remove(
            images=self._images, count=self._bytes, seconds=time.monotonic() - self._started
        )
