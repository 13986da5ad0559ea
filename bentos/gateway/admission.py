"""How much is let in at once: images and bytes, both bounded; what is over is told when to return.

BentoML's own batch queue has no bound (trap 5), so nothing may reach it that holds no room here.
The bound on images follows the measured speed, so that none waits much longer than wished, and no
caller can take all of the room.
"""

import math
import random
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus

from bentos import capacity
from bentos.gateway.problems import RequestProblem
from bentos.metrics import get_metrics

_WINDOW, _SLOWEST = 128, 0.05
"""Requests that the speed is measured over, and which share of them is left out as too slow: an
image that the filter rejects is done early and says little of how long the others wait."""
_FIRST_GUESS_SECONDS = 1 / capacity.read().images_per_second
"""An image's, until some are done."""
_FEW = 4
"""A request that finds fewer images takes the time of a batch, of which it says nothing how many
would have shared it: between all of that time and this part of it an image's may be."""
_MAX_RETRY_SECONDS = 60
_SHARE = 8
"""A caller may hold this many times what is still free (Choudhury and Hahne 1998, dynamic queue
length thresholds): 8/9 of the room alone, 8/17 each of two, and something is left for the next."""


@dataclass
class _Held:
    images: int = 0
    count: int = 0  # of bytes


class Admission:
    """Counts what is in the house, by caller, and how long an image takes."""

    def __init__(
        self, *, max_images: int, max_bytes: int, queue_seconds: float, smallest: int
    ) -> None:
        self._max_images, self._max_bytes = max_images, max_bytes
        self._queue_seconds, self._smallest = queue_seconds, smallest
        self._held = _Held()
        self._by_caller: defaultdict[str, _Held] = defaultdict(_Held)
        self._costs = deque([_FIRST_GUESS_SECONDS], _WINDOW)
        self._seconds_per_image = _FIRST_GUESS_SECONDS

    @property
    def limit(self) -> int:
        """Images that are done in the time that they should wait at most; never below `smallest`,
        the largest batch that one request may be.
        """
        wished = int(self._queue_seconds / self._seconds_per_image)
        return min(self._max_images, max(self._smallest, wished))

    def check(self, caller: str) -> None:
        """Raises RequestProblem 503 where not one image more of a caller's gets in."""
        self._check_images(caller, 1)

    @contextmanager
    def admit(self, caller: str) -> Iterator["Ticket"]:
        """Gives a request what it takes room by, and that room back at its end."""
        ticket = Ticket(self, caller)
        try:
            yield ticket
        finally:
            ticket.close()

    def add(self, caller: str, *, images: int = 0, count: int = 0) -> int:
        """Takes room for images and bytes; returns how many images are in the house then.

        Raises RequestProblem 503.
        """
        if images:
            self._check_images(caller, images)
        if count:
            self._check_bytes(caller, count)
        self._move(caller, images, count)
        return self._held.images

    def _check_images(self, caller: str, images: int) -> None:
        free = self.limit - self._held.images
        if free <= 0 or self._held.images + images > self._max_images:
            raise self._refusal("images")
        if self._of(caller).images + images > _SHARE * free:
            raise self._refusal("share")

    def _check_bytes(self, caller: str, count: int) -> None:
        free = self._max_bytes - self._held.count
        if count > free:
            raise self._refusal("bytes")
        if self._of(caller).count + count > _SHARE * free:
            raise self._refusal("share")

    def _of(self, caller: str) -> _Held:
        return self._by_caller.get(caller, _Held())

    def remove(self, caller: str, *, images: int, count: int) -> None:
        """Gives room back."""
        self._move(caller, -images, -count)

    def observe(self, seconds: float, images: int) -> None:
        """Learns from a request that a model answered: how long it was in the house, and how many
        images were there when it came, its own among them.
        """
        least, most = seconds / max(images, _FEW), seconds / images
        self._costs.append(min(most, max(least, self._seconds_per_image)))
        slowest_first = sorted(self._costs, reverse=True)
        self._seconds_per_image = slowest_first[int(_SLOWEST * len(slowest_first))]
        get_metrics().admission_limit.set(self.limit)

    def _move(self, caller: str, images: int, count: int) -> None:
        own = self._by_caller[caller]
        for held in (self._held, own):
            held.images += images
            held.count += count
        if not own.images and not own.count:
            del self._by_caller[caller]
        get_metrics().in_flight.labels("admitted").set(self._held.images)

    def _refusal(self, reason: str) -> RequestProblem:
        get_metrics().shed.labels(reason).inc()
        wait = self._held.images * self._seconds_per_image * random.uniform(1.0, 1.5)  # apart
        seconds = min(_MAX_RETRY_SECONDS, max(1, math.ceil(wait)))
        return RequestProblem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "overloaded",
            f"the service is at its capacity; try again in {seconds} s",
            headers={"Retry-After": str(seconds)},
        )


class Ticket:
    """The room of one request."""

    def __init__(self, admission: Admission, caller: str) -> None:
        self._admission, self._caller = admission, caller
        self._images = self._bytes = 0
        self._came, self._found = time.monotonic(), 1

    def add_bytes(self, count: int) -> None:
        """Takes room for bytes of the body. Raises RequestProblem 503."""
        self._admission.add(self._caller, count=count)
        self._bytes += count

    def add_images(self, count: int) -> None:
        """Takes room for the images of the request. Raises RequestProblem 503."""
        self._found = self._admission.add(self._caller, images=count)
        self._came = time.monotonic()
        self._images += count

    def served(self) -> None:
        """Says that the images reached a model, so that their time tells its speed."""
        self._admission.observe(time.monotonic() - self._came, self._found)

    def close(self) -> None:
        """Gives the room back."""
        self._admission.remove(self._caller, images=self._images, count=self._bytes)
