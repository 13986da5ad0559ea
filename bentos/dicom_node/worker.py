"""Answers the objects in the queue: has the service analyse them, and sends the results.

Results are on the disk before the first of them is sent, and have UIDs of their own by then: what
is sent again after a crash has the same UID, so that an archive keeps it once.
"""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Lock, Thread

from bentos.dicom_node.destinations import Destination
from bentos.dicom_node.metrics import Delivery, Metrics, Result
from bentos.dicom_node.queue import Queue, Refusal, Waiting
from bentos.settings import Settings
from chestxray.client import ChestXrayError, Client, ProblemError

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.25
"""The queue is looked at after this time: the gateway puts into it, too."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 300.0
"""Seconds until the second try of an object, doubled with each, and at most."""
_DISCARD_SECONDS = 60.0
_HOUR = 3600.0
_OF_THE_IMAGE = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
"""Statuses by which the service refuses an image: another try would end alike."""


class _TryAgain(Exception):
    """There is no result yet; the message says why."""


@dataclass
class _Tries:
    """The tries of one object."""

    count: int = 0
    next: float = 0.0

    def failed(self, now: float) -> None:
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**self.count)
        self.count += 1
        self.next = now + pause * random.uniform(0.5, 1.0)


class Worker:
    """Takes from the queue in a thread of its own, several objects at once."""

    def __init__(
        self,
        settings: Settings,
        queue: Queue,
        metrics: Metrics,
        client: Client,
        destination: Destination,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._queue, self._metrics = queue, metrics
        self._client, self._destination = client, destination
        self._language, self._clock = settings.dicom_language, clock
        self._max_age = settings.dicom_max_age_hours * _HOUR
        self._keep_failed = settings.dicom_keep_failed_hours * _HOUR
        self._tries: dict[str, _Tries] = {}
        self._busy, self._lock = set[str](), Lock()
        self._parallel = settings.dicom_parallel
        self._stop = Event()
        self._next = SimpleQueue[Waiting | None]()
        # Daemons: an executor's threads would keep the process until their last object is answered.
        targets = (self._run, *[self._answer_next] * self._parallel)
        self._threads = [Thread(target=each, name="answers", daemon=True) for each in targets]

    def start(self) -> None:
        """Begins to take from the queue."""
        for each in self._threads:
            each.start()

    def close(self, seconds: float) -> None:
        """Takes no other object, and waits some seconds for those that were begun.

        What is not answered by then stays in the queue.
        """
        self._stop.set()
        end = time.monotonic() + seconds
        for each in self._threads:
            each.join(max(0.0, end - time.monotonic()))
        if left := len(self._busy):
            logger.warning("%s objects stay in the queue until the next start", left)

    def take(self, each: Waiting) -> None:
        """Answers one object, or notes when it is to be tried again."""
        tries = self._tries.setdefault(each.name, _Tries())
        try:
            self._answer(each.name)
        except (_TryAgain, OSError) as error:
            reason = str(error) if isinstance(error, _TryAgain) else type(error).__name__
            tries.failed(self._clock())
            # What fails during a stop may fail because of it.
            if self._stop.is_set() or self._clock() - each.since < self._max_age:
                self._metrics.results.labels(Result.RETRIED).inc()
                logger.warning("%s is tried again: %s", each.name, reason)
                return
            self._give_up(each.name, reason)
        self._tries.pop(each.name, None)

    def _run(self) -> None:
        discarded = 0.0
        while not self._stop.wait(_POLL_SECONDS):
            try:
                for each in self._due():
                    self._next.put(each)
                if self._clock() - discarded > _DISCARD_SECONDS:
                    discarded = self._clock()
                    self._queue.discard(failed_seconds=self._keep_failed)
            except OSError:
                logger.exception("the queue cannot be read")
        for _ in range(self._parallel):
            self._next.put(None)

    def _answer_next(self) -> None:
        while each := self._next.get():
            if self._stop.is_set():
                self._leave(each)
            else:
                self._take(each)

    def _due(self) -> list[Waiting]:
        """Objects to take now, no more than are answered until the next look."""
        now, free = self._clock(), 2 * self._parallel - len(self._busy)
        due = [
            each
            for each in self._queue.waiting()
            if each.name not in self._busy and self._tries.get(each.name, _Tries()).next <= now
        ][: max(0, free)]
        with self._lock:
            self._busy.update(each.name for each in due)
        return due

    def _take(self, each: Waiting) -> None:
        try:
            self.take(each)
        except Exception:  # a bug costs this object its try, and no other
            logger.exception("%s was not answered", each.name)
            self._tries[each.name].failed(self._clock())
        finally:
            self._leave(each)

    def _leave(self, each: Waiting) -> None:
        with self._lock:
            self._busy.discard(each.name)

    def _answer(self, name: str) -> None:
        if self._queue.is_answered(name):
            self._queue.finish(name)
            return
        results = self._queue.results(name)
        if results is None:
            results = self._analyse(name)
        if results is None:
            return
        if lasting := self._send(results):
            self._give_up(name, lasting)
        else:
            self._queue.finish(name)
            self._metrics.results.labels(Result.ANSWERED).inc()

    def _analyse(self, name: str) -> list[Path] | None:
        """Returns the results of an object; None if the service refuses it. Raises _TryAgain."""
        data = self._queue.read(name)
        try:
            files = self._client.dicom_objects(data, language=self._language)
        except ProblemError as error:
            if error.status not in _OF_THE_IMAGE:
                raise _TryAgain(f"the service answered {error.status} {error.code}") from error
            self._queue.refuse(name, Refusal(error.detail, error.code))
            self._metrics.results.labels(Result.REFUSED).inc()
            return None
        except ChestXrayError as error:
            raise _TryAgain(f"the service gave no answer: {type(error).__name__}") from error
        return self._queue.keep_results(name, files)

    def _send(self, results: list[Path]) -> str:
        """Sends results and deletes what was stored; returns why some never will be, if so.

        Raises _TryAgain if some may be stored later.
        """
        failures = self._destination.send([each.read_bytes() for each in results])
        for path, failure in zip(results, failures, strict=True):
            if failure is None:
                path.unlink()
        found = [each for each in failures if each]
        passing = [each.reason for each in found if not each.lasting]
        ending = Delivery.FAILED if passing else Delivery.REFUSED if found else Delivery.STORED
        self._metrics.deliveries.labels(ending).inc()
        if passing:
            raise _TryAgain(passing[0])
        return "; ".join(each.reason for each in found)

    def _give_up(self, name: str, reason: str) -> None:
        logger.error("%s is given up: %s", name, reason)
        self._queue.give_up(name, Refusal(reason))
        self._metrics.results.labels(Result.GIVEN_UP).inc()
