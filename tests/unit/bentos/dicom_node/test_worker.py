"""The worker of the DICOM node: each object is answered once, or given up with a reason."""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Timer
from typing import Any

import pytest

from bentos.dicom_node.destinations import Failure
from bentos.dicom_node.metrics import Delivery, Metrics
from bentos.dicom_node.queue import Queue, Waiting
from bentos.dicom_node.worker import Worker
from bentos.settings import Settings
from chestxray.client import ConnectionFailed, Problem, ProblemError
from tests.waiting import until

RESULTS = [b"report", b"picture", b"overlay"]
HOUR = 3600.0


class Service:
    """Answers with results, or with an error."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None
        self.answers = Event()
        self.answers.set()

    def dicom_objects(self, data: bytes, *, language: str) -> list[bytes]:
        self.asked += 1
        self.answers.wait()
        if self.error:
            raise self.error
        return RESULTS


class Archive:
    """Keeps what it is sent, but for what it is told to refuse."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.failures: dict[bytes, Failure] = {}

    def close(self) -> None:
        """Nothing is open."""

    def send(self, files: Sequence[bytes]) -> list[Failure | None]:
        found = [self.failures.get(each) for each in files]
        self.received += [file for file, failure in zip(files, found, strict=True) if not failure]
        return found


class Node:
    """A worker over a queue with one object; the hour is set by tests."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.hours = folder, 0.0
        self.queue = Queue(folder, max_bytes=10**6)
        self.metrics = Metrics(self.queue, max_bytes=10**6)
        self.service, self.archive = Service(), Archive()
        client: Any = self.service
        self.worker = Worker(
            Settings(dicom_max_age_hours=24),
            self.queue,
            self.metrics,
            client,
            self.archive,
            clock=lambda: self.hours * HOUR,
        )
        self.name = self.queue.put(b"object")

    def take(self) -> None:
        self.worker.take(Waiting(self.name, 0.0))

    def figure(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"chestxray_dicom_{name}", labels)

    def reason(self) -> str:
        return str(json.loads((self.folder / "failed" / f"{self.name}.json").read_text())["reason"])


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_object_is_answered_and_forgotten(node: Node) -> None:
    node.take()

    assert node.archive.received == RESULTS
    assert node.queue.waiting() == []


def test_object_that_was_answered_meanwhile_is_not_analysed_again(node: Node) -> None:
    """It was sent twice at once, and the second copy appeared when the first was done."""
    node.take()
    (node.folder / "waiting" / f"{node.name}.dcm").write_bytes(b"object")
    node.take()

    assert node.service.asked == 1
    assert node.archive.received == RESULTS
    assert node.queue.waiting() == []


def test_results_that_were_sent_are_not_sent_again(node: Node) -> None:
    node.archive.failures = {RESULTS[1]: Failure("out of resources")}
    node.take()
    node.archive.failures = {}
    node.take()

    assert sorted(node.archive.received) == sorted(RESULTS)
    assert node.service.asked == 1


@pytest.mark.parametrize("hours", [0.0, 23.9])
def test_object_waits_as_long_as_the_service_may_come_back(node: Node, hours: float) -> None:
    node.service.error, node.hours = ConnectionFailed("away", lasting=False), hours
    node.take()

    assert [each.name for each in node.queue.waiting()] == [node.name]


def test_old_object_is_given_up_with_the_reason(node: Node) -> None:
    node.service.error, node.hours = ConnectionFailed("away", lasting=False), 24.1
    node.take()

    assert node.queue.waiting() == []
    assert "ConnectionFailed" in node.reason()
    assert (node.folder / "failed" / f"{node.name}.dcm").read_bytes() == b"object"


@pytest.mark.parametrize(
    ("status", "again"), [(422, False), (413, False), (503, True), (401, True)]
)
def test_only_a_refusal_of_the_image_itself_ends_its_tries(
    node: Node, status: int, again: bool
) -> None:
    node.service.error = ProblemError(Problem("", "", status, "because", "code", "id"))
    node.take()

    assert bool(node.queue.waiting()) == again
    assert again or node.reason() == "because"


def test_result_that_is_never_taken_is_kept_beside_the_object(node: Node) -> None:
    node.archive.failures = {RESULTS[2]: Failure("no such class", lasting=True)}
    node.take()

    kept = node.folder / "failed"
    assert [each.read_bytes() for each in (kept / node.name).iterdir()] == [RESULTS[2]]
    assert node.reason() == "no such class"
    assert node.queue.waiting() == []


def test_age_and_size_of_the_queue_are_those_of_its_files(node: Node) -> None:
    waiting = node.folder / "waiting" / f"{node.name}.dcm"
    os.utime(waiting, (0, time.time() - HOUR))
    node.queue.put(b"a younger object")

    age = node.figure("queue_oldest_seconds")
    assert age is not None and HOUR <= age < HOUR + 60
    assert node.figure("queue_bytes") == len(b"object") + len(b"a younger object")
    assert node.figure("queue_limit_bytes") == 10**6
    for each in list(node.queue.waiting()):
        node.queue.finish(each.name)
    assert node.figure("queue_oldest_seconds") == 0


@pytest.mark.parametrize(
    ("failure", "delivery"),
    [
        (None, Delivery.STORED),
        (Failure("away"), Delivery.FAILED),
        (Failure("no such class", lasting=True), Delivery.REFUSED),
    ],
)
def test_each_try_to_send_is_counted_once(
    node: Node, failure: Failure | None, delivery: Delivery
) -> None:
    node.archive.failures = {RESULTS[0]: failure} if failure else {}
    node.take()

    assert {each: node.figure("deliveries_total", delivery=each) for each in Delivery} == {
        each: float(each == delivery) for each in Delivery
    }


def test_stop_waits_for_what_was_begun_and_takes_no_other(node: Node) -> None:
    node.service.answers.clear()
    node.worker.start()
    until(lambda: node.service.asked)
    Timer(0.3, node.service.answers.set).start()
    node.worker.close(30)
    other = node.queue.put(b"another")

    assert node.archive.received == RESULTS
    assert [each.name for each in node.queue.waiting()] == [other]


def test_old_object_that_fails_during_a_stop_is_not_given_up(node: Node) -> None:
    node.service.error, node.hours = ConnectionFailed("closed", lasting=False), 24.1
    os.utime(node.folder / "waiting" / f"{node.name}.dcm", (0, 0))
    node.service.answers.clear()
    node.worker.start()
    until(lambda: node.service.asked)
    node.worker.close(0.1)
    node.service.answers.set()
    until(lambda: node.figure("objects_processed_total", result="retried"))

    assert [each.name for each in node.queue.waiting()] == [node.name]


def test_stop_is_bounded_and_leaves_what_is_not_answered_to_the_next_start(
    node: Node, tmp_path: Path
) -> None:
    node.service.answers.clear()
    node.worker.start()
    until(lambda: node.service.asked)
    began = time.monotonic()
    node.worker.close(0.2)
    seconds = time.monotonic() - began

    assert seconds < 5
    assert [each.name for each in node.queue.waiting()] == [node.name]
    again = Node(tmp_path)
    again.worker.start()
    until(lambda: not again.queue.waiting())
    again.worker.close(30)
    assert again.archive.received == RESULTS
    node.service.answers.set()
