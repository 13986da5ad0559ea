"""How much is let in at once: images and bytes, both bounded; what is over is told when to return.

BentoML's own batch queue has no bound (trap 5), so nothing may reach it that was not admitted.
"""

import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from bentos.gateway.problems import RequestProblem
from bentos.metrics import get_metrics

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
    def admit(self, images: int) -> Iterator["Ticket"]:
        """Holds room for the images of one request. Raises RequestProblem 503."""
        if self._images + images > self._max_images:
            raise self._refusal("images")
        ticket = Ticket(self)
        self._move(images, 0)
        try:
            yield ticket
        finally:
            self._move(-images, -ticket.bytes)

    def learn(self, seconds: float, images: int) -> None:
        """Takes note of how long the models took for some images."""
        measured = seconds / max(images, 1)
        self._seconds_per_image += _SMOOTHING * (measured - self._seconds_per_image)

    def add_bytes(self, count: int) -> None:
        if self._bytes + count > self._max_bytes:
            raise self._refusal("bytes")
        self._move(0, count)

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
    """The room of one admitted request."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.bytes = 0

    def add_bytes(self, count: int) -> None:
        """Counts bytes of the body until the request ends. Raises RequestProblem 503."""
        self._admission.add_bytes(count)
        self.bytes += count
