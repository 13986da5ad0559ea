"""Admission control: bounds images and bytes in flight; rejects the rest with 503 and Retry-After.

BentoML's batch queue is unbounded (trap 5); the batcher's is bounded, but its refusals come late,
so every image is counted here first. Within the bounds, a request is admitted if its predicted
queueing delay is at most the target. The scheduler shares the service fairly among clients
(`scheduler.py`), so a client waits for its own work and for at most as much work of each other
client: a client with many or costly images in flight delays only itself.
"""

import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import NamedTuple

from bentos.admission.ledger import Account, Ledger, serving
from bentos.http.problems import RequestProblem
from bentos.metric_labels import ShedReason, Stage
from bentos.metrics import get_metrics

_MAX_RETRY_SECONDS = 60
_SHARE = 2
"""A client may hold this many times the free capacity (Choudhury and Hahne 1998, dynamic queue
length thresholds): 2/3 of the bound if alone, 2/5 each if two, which leaves the largest batch for
the next client."""


class Admission:
    """Counts images and bytes in flight, and predicts the queueing delay of new requests."""

    def __init__(
        self, *, max_images: int, max_bytes: int, max_queue_seconds: float, ledger: Ledger
    ) -> None:
        self._max_images, self._max_bytes = max_images, max_bytes
        self._max_queue_seconds = max_queue_seconds
        self._ledger = ledger
        self._bytes = 0
        self._updated = ledger.clock()
        self._active: set[Account] = set()  # clients with images in flight

    @property
    def images(self) -> int:
        """Images in flight."""
        return self._ledger.images

    @property
    def limit(self) -> int:
        """Images of the usual cost that are done in the time that they should wait at most."""
        wished = int(self._max_queue_seconds / self._ledger.seconds_per_image)
        return min(self._max_images, max(1, wished))

    def check(self, caller: str) -> None:
        """Raises RequestProblem 503 if not even one more image of the client would be admitted."""
        self._check_images(self._ledger.look_up(caller), 1)

    @contextmanager
    def admit(self, caller: str) -> Iterator["Ticket"]:
        """Yields a ticket for a request's images and bytes, and releases them at its end."""
        account = self._ledger.account(caller)
        self._ledger.activate(account)
        ticket = Ticket(self, account)
        try:
            with serving(account):
                yield ticket
        finally:
            ticket.close()

    def begin(self, account: Account, images: int) -> "Prediction | None":
        """Predicts when images that are about to be admitted will be done; None if none queue."""
        wait = self._wait(account, images)
        if wait < self._max_queue_seconds / 2:
            return None
        seconds = wait + images * account.seconds_per_image
        return Prediction(self._ledger.clock(), seconds / self._ledger.overrun)

    def end(self, prediction: "Prediction") -> None:
        """Compares a prediction with the time that it took."""
        seconds = self._ledger.clock() - prediction.since
        self._ledger.answered(seconds, prediction.seconds)

    def add(self, account: Account, *, images: int = 0, size: int = 0) -> None:
        """Admits images, or `size` bytes of a body. Raises RequestProblem 503."""
        if images:
            self._check_images(account, images)
        if size:
            self._check_bytes(account, size)
        self._update(account, images, size)

    def remove(self, account: Account, *, images: int, size: int) -> None:
        """Releases images and bytes."""
        self._update(account, -images, -size)

    def _check_images(self, account: Account, images: int) -> None:
        free = self._max_images - self._ledger.images
        wait = self._wait(account, images)
        if images > free or wait > self._max_queue_seconds:
            raise self._refusal(ShedReason.IMAGES, wait)
        if account.images + images > _SHARE * free:
            raise self._refusal(ShedReason.SHARE, wait)

    def _check_bytes(self, account: Account, size: int) -> None:
        free = self._max_bytes - self._bytes
        if size > free:
            raise self._refusal(ShedReason.BYTES, self._wait(account, 1))
        if account.bytes + size > _SHARE * free:
            raise self._refusal(ShedReason.SHARE, self._wait(account, 1))

    def _wait(self, account: Account, images: int) -> float:
        """Predicted queueing delay in seconds of a request with `images` images: the client's own
        work in flight, plus at most its work including this request for each other client.
        """
        own = account.work
        own_after = own + images * account.seconds_per_image
        return own + sum(min(o.work, own_after) for o in self._active if o is not account)

    def _update(self, account: Account, images: int, size: int) -> None:
        metrics, now = get_metrics(), self._ledger.clock()
        # An autoscaler needs the mean: a gauge has what one scrape happens to meet.
        metrics.image_seconds.inc(self._ledger.images * (now - self._updated))
        self._updated = now
        account.images += images
        account.bytes += size
        self._ledger.images += images
        self._bytes += size
        (self._active.add if account.images else self._active.discard)(account)
        metrics.in_flight.labels(Stage.ADMITTED).set(self._ledger.images)
        metrics.admission_limit.set(self.limit)

    def _refusal(self, reason: ShedReason, wait: float) -> RequestProblem:
        get_metrics().shed.labels(reason).inc()
        jittered = wait * random.uniform(1.0, 1.5)  # so that rejected clients do not retry at once
        seconds = min(_MAX_RETRY_SECONDS, max(1, math.ceil(jittered)))
        return RequestProblem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "overloaded",
            f"the service is at capacity; try again in {seconds} s",
            headers={"Retry-After": str(seconds)},
        )


class Prediction(NamedTuple):
    """When images will be done: so many seconds of the bottleneck after `since`."""

    since: float
    seconds: float


class Ticket:
    """The images and bytes that one request has in flight."""

    def __init__(self, admission: Admission, account: Account) -> None:
        self._admission, self._account = admission, account
        self._images = self._bytes = 0
        self._predicted: Prediction | None = None

    def add_bytes(self, size: int) -> None:
        """Admits bytes of the body. Raises RequestProblem 503."""
        self._admission.add(self._account, size=size)
        self._bytes += size

    def add_images(self, count: int) -> None:
        """Admits the images of the request. Raises RequestProblem 503."""
        predicted = self._admission.begin(self._account, count)
        self._admission.add(self._account, images=count)
        self._images += count
        self._predicted = predicted

    def close(self) -> None:
        """Releases everything that the request has in flight."""
        if self._predicted:
            self._admission.end(self._predicted)
        self._admission.remove(self._account, images=self._images, size=self._bytes)
