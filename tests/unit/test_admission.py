"""Room is counted, and the advice to return is what the queue will take."""

import pytest

from bentos.gateway.admission import Admission
from bentos.gateway.problems import RequestProblem


def full(seconds: float, images: int) -> Admission:
    """A full house in which every image stayed some seconds."""
    admission = Admission(max_images=images, max_bytes=1)
    admission.add(images=images)
    for _ in range(200):
        admission.remove(images=1, count=0, seconds=seconds)
        admission.add(images=1)
    return admission


def test_retry_after_is_the_time_that_the_queue_takes() -> None:
    admission = full(seconds=8.0, images=16)

    with pytest.raises(RequestProblem) as caught, admission.admit():
        pass

    assert 8 <= int(caught.value.headers["Retry-After"]) <= 13


def test_room_is_given_back_after_an_error() -> None:
    admission = Admission(max_images=1, max_bytes=10)
    for _ in range(3):
        with pytest.raises(KeyError), admission.admit() as ticket:
            ticket.add_images(1)
            ticket.add_bytes(10)
            raise KeyError


@pytest.mark.parametrize(("images", "count"), [(2, 0), (1, 11)])
def test_what_does_not_fit_is_refused(images: int, count: int) -> None:
    admission = Admission(max_images=1, max_bytes=10)

    with pytest.raises(RequestProblem, match="capacity"), admission.admit() as ticket:
        ticket.add_images(images)
        ticket.add_bytes(count)
    with admission.admit() as ticket:
        ticket.add_images(1)
        ticket.add_bytes(10)
