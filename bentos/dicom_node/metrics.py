"""The metrics of the DICOM node, which is a process of its own."""

import time
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from prometheus_client import CollectorRegistry, Counter, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector

from bentos.dicom_node.queue import Queue

_PREFIX = "chestxray_dicom_"


class Receipt(StrEnum):
    """What became of an object that a peer sent."""

    STORED = "stored"
    OWN = "own"
    """It is a result of ours, and was refused."""
    FULL = "full"
    """The queue was full."""
    FAILED = "failed"
    """The queue could not be written."""


class Result(StrEnum):
    """What became of an object in the queue."""

    ANSWERED = "answered"
    REFUSED = "refused"
    """The service does not analyse it."""
    GIVEN_UP = "given_up"
    RETRIED = "retried"
    """It will be tried again."""


class Delivery(StrEnum):
    """What became of a try to send the results of an object."""

    STORED = "stored"
    FAILED = "failed"
    """Some of them are sent again."""
    REFUSED = "refused"
    """Some of them will never be stored."""


class Metrics:
    """Counters, and the state of the queue when they are read."""

    def __init__(self, queue: Queue, *, max_bytes: int) -> None:
        self._queue, self._max_bytes = queue, max_bytes
        self.registry = CollectorRegistry()
        self.received = self._counter("objects_received", "Objects that peers sent", "receipt")
        self.results = self._counter("objects_processed", "Ends of tries to answer", "result")
        self.deliveries = self._counter("deliveries", "Tries to send results", "delivery")
        self.rejected = Counter(
            f"{_PREFIX}associations_rejected",
            "Associations rejected for their AE title or address",
            registry=self.registry,
        )
        for receipt in Receipt:
            self.received.labels(receipt)
        for result in Result:
            self.results.labels(result)
        for delivery in Delivery:
            self.deliveries.labels(delivery)
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def serve(self, host: str, port: int) -> None:
        """Serves the metrics by HTTP. Raises OSError."""
        start_http_server(port, host, self.registry)

    def collect(self) -> Iterator[Metric]:
        """Yields the state of the queue."""
        family = _gauge("queue_objects", "Objects by the part of the queue", labels=["part"])
        for part, count in self._queue.count().items():
            family.add_metric([part], count)
        yield family
        yield _gauge("queue_bytes", "Size of the queue", value=self._queue.size())
        yield _gauge("queue_limit_bytes", "Size limit of the queue", value=self._max_bytes)
        waiting = self._queue.waiting()
        age = max(0.0, time.time() - waiting[0].since) if waiting else 0.0
        yield _gauge("queue_oldest_seconds", "Age of the oldest object that waits", value=age)

    def _counter(self, name: str, documentation: str, label: str) -> Counter:
        return Counter(f"{_PREFIX}{name}", documentation, [label], registry=self.registry)


def _gauge(name: str, documentation: str, **options: Any) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{_PREFIX}{name}", documentation, **options)
