"""How much is let in at once: images and bytes, both bounded; what is over is told when to return.

BentoML's own queue has no bound (trap 5). The models' queues have (`inference/batcher.py`), but a
request is refused here, before its body is read. Within the bounds a request is let in where
it would not wait longer than wished. Callers get equal parts of the service (`scheduler.py`), so
what a caller waits for is its own work and as much of every other caller's, in seconds: one that
has much in flight, or costly images, makes itself wait and nobody else.
"""

import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from bentos.admission.ledger import Account, Ledger, serving
from bentos.http.problems import RequestProblem
from bentos.metric_labels import ShedReason, Stage
from bentos.metrics import get_metrics

_MAX_RETRY_SECONDS = 60
_SHARE = 2
"""A caller may hold this many times what is still free (Choudhury and Hahne 1998, dynamic queue
length thresholds): 2/3 of the bound alone, 2/5 each of two, and the largest batch is left for the
next."""


class Admission:
    """Counts what is in flight, and predicts how long what comes would wait."""

    def __init__(
        self, *, max_images: int, max_bytes: int, max_queue_seconds: float, ledger: Ledger
    ) -> None:
        self._max_images, self._max_bytes = max_images, max_bytes
        self._max_queue_seconds = max_queue_seconds
        self._ledger = ledger
        self._images = self._bytes = 0
        self._waiting: set[Account] = set()  # callers with images in flight

    @property
    def limit(self) -> int:
        """Images of the usual cost that are done in the time that they should wait at most."""
        wished = int(self._max_queue_seconds / self._ledger.model_seconds)
        return min(self._max_images, max(1, wished))

    def check(self, caller: str) -> None:
        """Raises RequestProblem 503 where not one image more of a caller's gets in."""
        self._check_images(self._ledger.look_up(caller), 1)

    @contextmanager
    def admit(self, caller: str) -> Iterator["Ticket"]:
        """Gives a request what it takes of the bounds, and that back at its end."""
        account = self._ledger.account(caller)
        self._ledger.activate(account)
        ticket = Ticket(self, account)
        try:
            with serving(account):
                yield ticket
        finally:
            ticket.close()

    def add(self, account: Account, *, images: int = 0, count: int = 0) -> None:
        """Counts images and bytes in. Raises RequestProblem 503."""
        if images:
            self._check_images(account, images)
        if count:
            self._check_bytes(account, count)
        self._move(account, images, count)

    def remove(self, account: Account, *, images: int, count: int) -> None:
        """Counts them out."""
        self._move(account, -images, -count)

    def _check_images(self, account: Account, images: int) -> None:
        free = self._max_images - self._images
        wait = self._wait(account, images)
        if images > free or wait > self._max_queue_seconds:
            raise self._refusal(ShedReason.IMAGES, wait)
        if account.images + images > _SHARE * free:
            raise self._refusal(ShedReason.SHARE, wait)

    def _check_bytes(self, account: Account, count: int) -> None:
        free = self._max_bytes - self._bytes
        if count > free:
            raise self._refusal(ShedReason.BYTES, self._wait(account, 1))
        if account.bytes + count > _SHARE * free:
            raise self._refusal(ShedReason.SHARE, self._wait(account, 1))

    def _wait(self, account: Account, images: int) -> float:
        """Seconds until the images of a request begin, were they let in: all that its caller has
        in flight goes before them, and while all are done, as much of every other caller's.
        """
        own = account.work
        all_of_own = own + images * account.seconds_per_image
        return own + sum(min(o.work, all_of_own) for o in self._waiting if o is not account)

    def _move(self, account: Account, images: int, count: int) -> None:
        account.images += images
        account.bytes += count
        self._images += images
        self._bytes += count
        (self._waiting.add if account.images else self._waiting.discard)(account)
        metrics = get_metrics()
        metrics.in_flight.labels(Stage.ADMITTED).set(self._images)
        metrics.admission_limit.set(self.limit)

    def _refusal(self, reason: ShedReason, wait: float) -> RequestProblem:
        get_metrics().shed.labels(reason).inc()
        apart = wait * random.uniform(1.0, 1.5)  # or all that were refused would return together
        seconds = min(_MAX_RETRY_SECONDS, max(1, math.ceil(apart)))
        return RequestProblem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "overloaded",
            f"the service is at its capacity; try again in {seconds} s",
            headers={"Retry-After": str(seconds)},
        )


class Ticket:
    """What one request takes of the bounds."""

    def __init__(self, admission: Admission, account: Account) -> None:
        self._admission, self._account = admission, account
        self._images = self._bytes = 0

    def add_bytes(self, count: int) -> None:
        """Counts bytes of the body. Raises RequestProblem 503."""
        self._admission.add(self._account, count=count)
        self._bytes += count

    def add_images(self, count: int) -> None:
        """Counts the images of the request. Raises RequestProblem 503."""
        self._admission.add(self._account, images=count)
        self._images += count

    def close(self) -> None:
        """Counts out what was counted in."""
        self._admission.remove(self._account, images=self._images, count=self._bytes)
