"""Room is counted and shared, its bound follows the speed, and refusals say when to return."""

import time

import pytest

from bentos.gateway.admission import Admission, Ticket
from bentos.gateway.problems import RequestProblem


def admission_of(images: int, count: int = 1000, seconds: float = 1e6) -> Admission:
    """Room for images and bytes; so patient that its speed says nothing, unless told otherwise."""
    return Admission(max_images=images, max_bytes=count, queue_seconds=seconds, smallest=1)


def after(admission: Admission, *, seconds: float, images: int = 1, times: int = 200) -> Admission:
    """The same, once requests each stayed some seconds in a house of so many images."""
    for _ in range(times):
        admission.observe(seconds, images)
    return admission


def full(seconds: float, images: int) -> Admission:
    """A full house of many callers, in which every image stayed some seconds."""
    admission = admission_of(images)
    for i in range(images):
        admission.add(str(i), images=1)
    return after(admission, seconds=seconds, images=images)


def test_retry_after_is_the_time_that_the_queue_takes() -> None:
    admission = full(seconds=8.0, images=16)

    with pytest.raises(RequestProblem) as caught:
        admission.check("x")

    assert 8 <= int(caught.value.headers["Retry-After"]) <= 13


def test_room_is_given_back_after_an_error() -> None:
    admission = admission_of(1, 10)
    for _ in range(3):
        with pytest.raises(KeyError), admission.admit("x") as ticket:
            ticket.add_images(1)
            ticket.add_bytes(10)
            raise KeyError


@pytest.mark.parametrize(("images", "count"), [(2, 0), (1, 11)])
def test_what_does_not_fit_is_refused(images: int, count: int) -> None:
    admission = admission_of(1, 10)

    with pytest.raises(RequestProblem, match="capacity"), admission.admit("x") as ticket:
        ticket.add_images(images)
        ticket.add_bytes(count)
    with admission.admit("x") as ticket:
        ticket.add_images(1)
        ticket.add_bytes(10)


@pytest.mark.parametrize(("seconds", "limit"), [(0.5, 40), (5.0, 4), (0.01, 100), (500.0, 1)])
def test_bound_is_what_is_done_in_the_time_to_wait(seconds: float, limit: int) -> None:
    admission = after(admission_of(100, seconds=2.0), seconds=seconds, images=10)

    assert admission.limit == pytest.approx(limit, abs=1)


def test_calm_changes_no_room() -> None:
    """Lone images take the time of a batch each, which says nothing about a queue."""
    admission = after(admission_of(1000, seconds=2.0), seconds=0.4, images=10)

    after(admission, seconds=0.08, images=1)

    assert admission.limit == pytest.approx(50, abs=1)


@pytest.mark.parametrize(("seconds", "limit"), [(0.03, 66), (0.4, 20)])
def test_calm_says_how_fast_and_how_slow_it_can_be(seconds: float, limit: int) -> None:
    """A lone image in less time than was thought is one; in over four times, four are slower."""
    admission = after(admission_of(1000, seconds=2.0), seconds=0.4, images=10)

    after(admission, seconds=seconds, images=1)

    assert admission.limit == pytest.approx(limit, abs=1)


def test_slowness_shows_even_in_calm() -> None:
    admission = after(admission_of(100, seconds=2.0), seconds=4.0, images=1)

    assert admission.limit <= 4


def test_bound_follows_those_that_wait_longest() -> None:
    """Images that the filter rejects leave early, and the classifier's queue grows all the same."""
    admission = admission_of(100, seconds=2.0)
    for _ in range(100):
        after(admission, seconds=0.1, images=10, times=9)
        after(admission, seconds=1.0, images=10, times=1)

    assert admission.limit == pytest.approx(20, abs=1)


def take(admission: Admission, caller: str, images: int) -> int:
    """How many of so many single images a caller gets in."""
    taken = 0
    for _ in range(images):
        try:
            admission.add(caller, images=1)
            taken += 1
        except RequestProblem:
            break
    return taken


def test_no_caller_takes_all_the_room() -> None:
    admission = admission_of(90)

    assert take(admission, "greedy", 1000) == 80
    assert take(admission, "modest", 5) == 5


def test_callers_that_want_all_get_as_much_as_each_other() -> None:
    admission = admission_of(85)
    held = {"one": 0, "other": 0}
    for _ in range(200):
        for caller in held:
            held[caller] += take(admission, caller, 1)

    assert held["one"] == pytest.approx(held["other"], abs=1)
    assert sum(held.values()) < 85


def test_lone_caller_may_send_the_largest_batch() -> None:
    admission = Admission(max_images=64, max_bytes=1000, queue_seconds=1.0, smallest=16)
    after(admission, seconds=100.0)

    admission.add("x", images=16)

    with pytest.raises(RequestProblem):
        admission.add("x", images=1)


def test_bytes_are_shared_as_images_are() -> None:
    admission = admission_of(10, 900)

    for _ in range(8):
        admission.add("greedy", count=100)
    with pytest.raises(RequestProblem):
        admission.add("greedy", count=100)
    admission.add("modest", count=100)


def test_time_counts_from_when_the_body_is_there() -> None:
    admission = admission_of(10, seconds=2.0)
    ticket = Ticket(admission, "x")
    ticket._came = time.monotonic() - 1000

    ticket.add_images(1)
    for _ in range(200):
        ticket.served()

    assert admission.limit == 10


def test_what_would_not_get_in_is_refused_before_it_is_read() -> None:
    admission = admission_of(9)
    take(admission, "greedy", 1000)

    with pytest.raises(RequestProblem):
        admission.check("greedy")
    admission.check("modest")
