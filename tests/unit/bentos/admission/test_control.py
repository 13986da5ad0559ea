"""What is in flight is bounded and shared by what it costs, and refusals say when to return."""

import pytest

from bentos.admission import ledger
from bentos.admission.control import Admission
from bentos.admission.ledger import Ledger
from bentos.http.problems import RequestProblem
from tests.unit.bentos.admission.clock import Clock

MODEL = 0.025
"""Seconds that an image takes of the slower model."""
BATCH = 16


class Service:
    """Admission with a clock of its own, over models that take so long for an image."""

    def __init__(
        self,
        *,
        images: int = 128,
        count: int = 1000,
        max_queue_seconds: float = 2.0,
        seconds_per_image: float = MODEL,
    ) -> None:
        self.clock = Clock()
        self.ledger = Ledger(self.clock)
        self.ledger.observe("classifier", seconds_per_image)
        self.admission = Admission(
            max_images=images,
            max_bytes=count,
            max_queue_seconds=max_queue_seconds,
            ledger=self.ledger,
        )

    def send(self, caller: str, images: int = 0, count: int = 0) -> bool:
        """Whether a request of a caller's is let in; it stays in flight."""
        try:
            self.admission.add(self.ledger.account(caller), images=images, size=count)
        except RequestProblem as problem:
            assert problem.code == "overloaded"
            return False
        return True

    def answer(self, caller: str, images: int = 0, count: int = 0) -> None:
        self.admission.remove(self.ledger.account(caller), images=images, size=count)

    def send_all(self, caller: str, images: int = 1, count: int = 0) -> int:
        """How many requests of a caller's are let in, one after the other."""
        sent = 0
        while self.send(caller, images, count):
            sent += 1
        return sent

    def decoded(self, caller: str, seconds: float, times: int = 1) -> None:
        for _ in range(times):
            self.ledger.account(caller).decoded(seconds)


def unbounded(**more: int) -> Service:
    """Time is no reason for a refusal."""
    return Service(max_queue_seconds=1e6, **more)


def retry_after(service: Service, caller: str) -> int:
    with pytest.raises(RequestProblem) as caught:
        service.admission.check(caller)
    return int(caught.value.headers["Retry-After"])


def test_lone_caller_has_in_flight_what_is_done_in_the_time_to_wait() -> None:
    assert Service(max_queue_seconds=2.0).send_all("x") == pytest.approx(2.0 / MODEL, abs=1)


def test_batches_are_compared_with_the_limit_in_force() -> None:
    service = Service(max_queue_seconds=2.0, seconds_per_image=0.2)

    assert service.send_all("x", images=BATCH) == 1
    assert not service.send("x", images=1)


@pytest.mark.parametrize("seconds", [0.001, 1.0, 100.0])
def test_largest_batch_is_let_into_an_idle_service_however_slow(seconds: float) -> None:
    service = Service(seconds_per_image=seconds)
    service.decoded("x", seconds)

    assert service.send("x", images=BATCH)


def test_caller_of_batches_leaves_the_service_to_others() -> None:
    service = Service()
    service.send_all("hostile", images=BATCH)

    assert all(service.send(f"good {i}", images=1) for i in range(10))
    assert service.send("another", images=BATCH)


def test_costly_images_shrink_the_share_of_their_own_caller_alone() -> None:
    service = Service()
    service.decoded("hostile", 0.5, times=20)

    assert service.send_all("hostile", images=1) == pytest.approx(2.0 / 0.5, abs=1)
    assert service.admission.limit == pytest.approx(2.0 / MODEL, abs=1)
    assert service.send_all("good", images=1) >= 2.0 / MODEL / 2 - 1


def test_images_that_failed_to_decode_are_costs_too() -> None:
    """Nothing of them ever reached a model."""
    service = Service()
    before = service.send_all("hostile", images=1)
    service.answer("hostile", images=before)
    service.decoded("hostile", 1.0)

    assert service.send_all("hostile", images=1) < before / 10


def test_cheap_files_between_costly_ones_do_not_hide_them() -> None:
    service = Service()
    service.decoded("hostile", 1.0)
    service.decoded("hostile", 0.001, times=100)

    assert service.send_all("hostile", images=1) <= 3


def test_cost_of_decoding_is_forgotten_within_seconds() -> None:
    service = Service()
    service.decoded("x", 1.0)

    service.clock.now += 15

    assert service.send_all("x", images=1) == pytest.approx(2.0 / MODEL, abs=1)


def test_limit_recovers_within_seconds_of_a_slow_phase() -> None:
    service = Service()
    for _ in range(1000):
        service.ledger.observe("classifier", 2.0)
    assert service.admission.limit == 1

    for _ in range(10):
        service.clock.now += 0.5
        service.ledger.observe("classifier", MODEL)

    assert service.admission.limit == pytest.approx(2.0 / MODEL, abs=1)


def test_one_batch_that_met_a_restart_changes_little() -> None:
    service = Service()
    for seconds in (*[MODEL] * 10, 6.0):
        service.ledger.observe("classifier", seconds)

    assert service.admission.limit == pytest.approx(2.0 / MODEL, rel=0.3)


def test_large_batches_say_more_of_the_speed_than_single_images() -> None:
    service = Service()
    for _ in range(4):
        service.ledger.observe("classifier", 0.05)
        service.ledger.observe("classifier", 16 * MODEL, images=16)

    assert service.admission.limit == pytest.approx(2.0 / MODEL, rel=0.1)


def test_slower_model_sets_the_limit() -> None:
    service = Service()
    service.ledger.observe("filter", MODEL / 10)

    assert service.admission.limit == pytest.approx(2.0 / MODEL, abs=1)


def test_many_callers_wait_for_each_other() -> None:
    """Each of them has one image only, and all together too many."""
    service = Service(max_queue_seconds=1.0)
    let_in = sum(service.send(str(i), images=1) for i in range(100))

    assert let_in == pytest.approx(1.0 / MODEL, abs=2)


def test_retry_after_is_the_time_that_what_is_in_flight_takes() -> None:
    service = Service(max_queue_seconds=8.0, seconds_per_image=0.5)
    service.send_all("x", images=1)

    assert 8 <= retry_after(service, "x") <= 13


def test_retry_after_counts_what_is_shared_with_others() -> None:
    service = Service(max_queue_seconds=8.0, seconds_per_image=0.5)
    for _ in range(8):
        service.send("x", images=1)
        service.send("other", images=1)
    service.send_all("x", images=1)

    assert 8 <= retry_after(service, "x") <= 13


@pytest.mark.parametrize(("images", "count"), [(2, 0), (1, 11)])
def test_what_does_not_fit_is_refused(images: int, count: int) -> None:
    service = unbounded(images=1, count=10)

    with pytest.raises(RequestProblem, match="capacity"), service.admission.admit("x") as ticket:
        ticket.add_images(images)
        ticket.add_bytes(count)
    with service.admission.admit("x") as ticket:
        ticket.add_images(1)
        ticket.add_bytes(10)


def test_what_was_counted_in_is_counted_out_after_an_error() -> None:
    service = unbounded(images=1, count=10)
    for _ in range(3):
        with pytest.raises(KeyError), service.admission.admit("x") as ticket:
            ticket.add_images(1)
            ticket.add_bytes(10)
            raise KeyError


def test_no_caller_takes_all_images() -> None:
    service = unbounded(images=90)

    assert service.send_all("greedy") == 60
    assert all(service.send("modest", images=1) for _ in range(5))


def test_callers_that_want_all_get_as_much_as_each_other() -> None:
    service = unbounded(images=85)
    held = {"one": 0, "other": 0}
    for _ in range(200):
        for caller in held:
            held[caller] += service.send(caller, images=1)

    assert held["one"] == pytest.approx(held["other"], abs=1)
    assert sum(held.values()) < 85


def test_bytes_are_shared_as_images_are() -> None:
    service = unbounded(images=10, count=900)

    assert service.send_all("greedy", images=0, count=100) == 6
    assert service.send("modest", count=100)


def test_what_would_not_get_in_is_refused_before_it_is_read() -> None:
    service = unbounded(images=9)
    service.send_all("greedy")

    with pytest.raises(RequestProblem):
        service.admission.check("greedy")
    service.admission.check("modest")


def test_account_is_current_while_its_request_is_served() -> None:
    service = Service()

    with service.admission.admit("x"):
        assert ledger.current() is service.ledger.look_up("x")
    assert ledger.current() is not service.ledger.look_up("x")
