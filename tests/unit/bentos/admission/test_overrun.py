"""While images queue, admission control learns how much longer they take than the models say."""

from collections import deque
from contextlib import ExitStack

import pytest

from bentos.admission.control import Admission
from bentos.admission.ledger import Ledger
from bentos.http.problems import RequestProblem
from tests.unit.bentos.admission.clock import Clock

MODEL = 0.025
"""Seconds per image of the slower model."""
QUEUE_SECONDS = 2.0
OTHER_WORK = 1.2
"""What an image really takes, over what the model takes."""


class Service:
    """Takes images one after the other, in the time of the model and of all other work."""

    def __init__(self, other_work: float) -> None:
        self.clock, self._seconds = Clock(), MODEL * other_work
        self.ledger = Ledger(self.clock)
        self.ledger.observe("classifier", MODEL)
        self.admission = Admission(
            max_images=1000, max_bytes=1, max_queue_seconds=QUEUE_SECONDS, ledger=self.ledger
        )
        self._queue: deque[tuple[float, ExitStack]] = deque()

    def overload(self, images: int) -> list[float]:
        """The time that each of so many images took, with more waiting than are admitted."""
        return [self._serve() for _ in range(images)]

    def rest(self) -> None:
        """Answers all that waits, and is idle until it remembers nothing."""
        while self._queue:
            self._queue.popleft()[1].close()
        self.clock.now += 20.0

    def _serve(self) -> float:
        while self._admit():
            pass
        self.clock.now += self._seconds
        since, stack = self._queue.popleft()
        stack.close()
        return self.clock.now - since

    def _admit(self) -> bool:
        with ExitStack() as stack:
            try:
                stack.enter_context(self.admission.admit("caller")).add_images(1)
            except RequestProblem:
                return False
            self._queue.append((self.clock.now, stack.pop_all()))
            return True


@pytest.mark.parametrize("other_work", [1.0, OTHER_WORK])
def test_time_of_served_images_stays_within_the_queueing_time(other_work: float) -> None:
    service = Service(other_work)
    service.overload(400)

    assert max(service.overload(100)) <= QUEUE_SECONDS + 2 * MODEL * other_work
    assert service.ledger.overrun == pytest.approx(other_work, rel=0.05)


def test_limit_is_that_of_the_models_again_once_nothing_waits() -> None:
    service = Service(OTHER_WORK)
    before = service.admission.limit
    service.overload(400)
    during = service.admission.limit
    service.rest()

    assert during == pytest.approx(before / OTHER_WORK, rel=0.05)
    assert service.admission.limit == before


def test_outage_does_not_shrink_the_limit_without_bound() -> None:
    service = Service(100.0)
    before = service.admission.limit
    service.overload(200)

    assert service.admission.limit >= before / 2
