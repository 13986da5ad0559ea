"""Admission control bounds the work in flight, shares it by cost, and sets Retry-After."""

import pytest

from bentos.admission import ledger
from bentos.admission.control import Admission
from bentos.admission.ledger import Ledger
from bentos.http.problems import RequestProblem
from bentos.metrics import get_metrics
from tests.unit.bentos.admission.clock import Clock

MODEL = 0.025
"""Seconds per image of the slower model."""
BATCH = 16


class Service:
    """Admission control with its own clock, over models with a given time per image."""

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

    def send(self, client: str, images: int = 0, count: int = 0) -> bool:
        """Whether a client's request is admitted; it stays in flight."""
        try:
            self.admission.add(self.ledger.account(client), images=images, size=count)
        except RequestProblem as problem:
            assert problem.code == "overloaded"
            return False
        return True

    def answer(self, client: str, images: int = 0, count: int = 0) -> None:
        self.admission.remove(self.ledger.account(client), images=images, size=count)

    def send_all(self, client: str, images: int = 1, count: int = 0) -> int:
        """How many of a client's requests are admitted, one after the other."""
        sent = 0
        while self.send(client, images, count):
            sent += 1
        return sent

    def decoded(self, client: str, seconds: float, times: int = 1) -> None:
        for _ in range(times):
            self.ledger.account(client).decoded(seconds)


def service_without_queue_limit(**more: int) -> Service:
    """A service that refuses nothing because of its queue time."""
    return Service(max_queue_seconds=1e6, **more)


def retry_after(service: Service, client: str) -> int:
    with pytest.raises(RequestProblem) as caught:
        service.admission.check(client)
    return int(caught.value.headers["Retry-After"])


def test_admission_limit_is_throughput_times_queue_time() -> None:
    assert Service(max_queue_seconds=2.0).send_all("x") == pytest.approx(2.0 / MODEL, abs=1)


def test_client_with_a_batch_above_the_limit_gets_no_further_image() -> None:
    service = Service(max_queue_seconds=2.0, seconds_per_image=0.2)

    assert service.send_all("x", images=BATCH) == 1
    assert not service.send("x", images=1)


@pytest.mark.parametrize("seconds", [0.001, 1.0, 100.0])
def test_idle_service_admits_the_largest_batch_however_slow_the_model_is(seconds: float) -> None:
    service = Service(seconds_per_image=seconds)
    service.decoded("x", seconds)

    assert service.send("x", images=BATCH)


def test_client_that_fills_its_share_does_not_block_other_clients() -> None:
    service = Service()
    service.send_all("hostile", images=BATCH)

    assert all(service.send(f"good {i}", images=1) for i in range(10))
    assert service.send("another", images=BATCH)


def test_costly_images_reduce_only_the_share_of_their_own_client() -> None:
    service = Service()
    service.decoded("hostile", 0.5, times=20)

    assert service.send_all("hostile", images=1) == pytest.approx(2.0 / 0.5, abs=1)
    assert service.admission.limit == pytest.approx(2.0 / MODEL, abs=1)
    assert service.send_all("good", images=1) >= 2.0 / MODEL / 2 - 1


def test_images_that_fail_to_decode_count_towards_the_cost() -> None:
    """Although such images never reach a model."""
    service = Service()
    before = service.send_all("hostile", images=1)
    service.answer("hostile", images=before)
    service.decoded("hostile", 1.0)

    assert service.send_all("hostile", images=1) < before / 10


def test_cheap_files_do_not_hide_the_cost_of_a_costly_file() -> None:
    service = Service()
    service.decoded("hostile", 1.0)
    service.decoded("hostile", 0.001, times=100)

    assert service.send_all("hostile", images=1) <= 3


def test_decoding_cost_expires_within_seconds() -> None:
    service = Service()
    service.decoded("x", 1.0)

    service.clock.now += 15

    assert service.send_all("x", images=1) == pytest.approx(2.0 / MODEL, abs=1)


def test_limit_recovers_within_seconds_after_a_slow_phase() -> None:
    service = Service()
    for _ in range(1000):
        service.ledger.observe("classifier", 2.0)
    assert service.admission.limit == 1

    for _ in range(10):
        service.clock.now += 0.5
        service.ledger.observe("classifier", MODEL)

    assert service.admission.limit == pytest.approx(2.0 / MODEL, abs=1)


def test_one_slow_batch_after_a_restart_barely_changes_the_limit() -> None:
    service = Service()
    for seconds in (*[MODEL] * 10, 6.0):
        service.ledger.observe("classifier", seconds)

    assert service.admission.limit == pytest.approx(2.0 / MODEL, rel=0.3)


def test_large_batches_weigh_more_than_single_images_in_the_speed_estimate() -> None:
    service = Service()
    for _ in range(4):
        service.ledger.observe("classifier", 0.05)
        service.ledger.observe("classifier", 16 * MODEL, images=16)

    assert service.admission.limit == pytest.approx(2.0 / MODEL, rel=0.1)


def test_slower_model_sets_the_limit() -> None:
    service = Service()
    service.ledger.observe("filter", MODEL / 10)

    assert service.admission.limit == pytest.approx(2.0 / MODEL, abs=1)


def test_clients_with_one_image_each_share_the_limit() -> None:
    """Each has only one image, but all of them together have too many."""
    service = Service(max_queue_seconds=1.0)
    admitted = sum(service.send(str(i), images=1) for i in range(100))

    assert admitted == pytest.approx(1.0 / MODEL, abs=2)


def test_retry_after_is_the_time_to_finish_the_images_in_flight() -> None:
    service = Service(max_queue_seconds=8.0, seconds_per_image=0.5)
    service.send_all("x", images=1)

    assert 8 <= retry_after(service, "x") <= 13


def test_retry_after_accounts_for_the_images_of_other_clients() -> None:
    service = Service(max_queue_seconds=8.0, seconds_per_image=0.5)
    for _ in range(8):
        service.send("x", images=1)
        service.send("other", images=1)
    service.send_all("x", images=1)

    assert 8 <= retry_after(service, "x") <= 13


@pytest.mark.parametrize(("images", "count"), [(2, 0), (1, 11)])
def test_request_above_the_image_or_byte_capacity_is_refused(images: int, count: int) -> None:
    service = service_without_queue_limit(images=1, count=10)

    with pytest.raises(RequestProblem, match="capacity"), service.admission.admit("x") as ticket:
        ticket.add_images(images)
        ticket.add_bytes(count)
    with service.admission.admit("x") as ticket:
        ticket.add_images(1)
        ticket.add_bytes(10)


def test_capacity_is_released_after_an_error() -> None:
    service = service_without_queue_limit(images=1, count=10)
    for _ in range(3):
        with pytest.raises(KeyError), service.admission.admit("x") as ticket:
            ticket.add_images(1)
            ticket.add_bytes(10)
            raise KeyError


def test_one_client_cannot_take_the_whole_image_capacity() -> None:
    service = service_without_queue_limit(images=90)

    assert service.send_all("greedy") == 60
    assert all(service.send("modest", images=1) for _ in range(5))


def test_competing_clients_get_equal_shares() -> None:
    service = service_without_queue_limit(images=85)
    held = {"one": 0, "other": 0}
    for _ in range(200):
        for client in held:
            held[client] += service.send(client, images=1)

    assert held["one"] == pytest.approx(held["other"], abs=1)
    assert sum(held.values()) < 85


def test_byte_capacity_is_shared_like_image_capacity() -> None:
    service = service_without_queue_limit(images=10, count=900)

    assert service.send_all("greedy", images=0, count=100) == 6
    assert service.send("modest", count=100)


def test_request_beyond_the_clients_share_is_refused_before_its_body_is_read() -> None:
    service = service_without_queue_limit(images=9)
    service.send_all("greedy")

    with pytest.raises(RequestProblem):
        service.admission.check("greedy")
    service.admission.check("modest")


def test_account_of_a_client_is_current_while_its_request_is_served() -> None:
    service = Service()

    with service.admission.admit("x"):
        assert ledger.current() is service.ledger.look_up("x")
    assert ledger.current() is not service.ledger.look_up("x")


def test_images_in_flight_are_integrated_over_time() -> None:
    """An autoscaler reads the rate of the integral, which is their mean."""
    service, total = Service(), get_metrics().image_seconds
    before = total._value.get()
    service.send("a", images=4)
    service.clock.now += 2
    service.send("b", images=1)
    service.clock.now += 3
    service.answer("a", images=4)
    service.answer("b", images=1)
    service.clock.now += 100
    service.send("a")

    assert total._value.get() - before == 4 * 2 + 5 * 3
