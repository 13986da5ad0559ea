"""The metrics of the DICOM node, which is a process of its own."""

from collections.abc import Callable, Iterator
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector

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


class Metrics:
    """Counters, and the lengths of the queue when they are read."""

    def __init__(self, lengths: Callable[[], dict[str, int]]) -> None:
        self._lengths = lengths
        self.registry = CollectorRegistry()
        self.received = self._counter("objects_received", "Objects that peers sent", "receipt")
        self.results = self._counter("objects_processed", "Ends of tries to answer", "result")
        self.rejected = Counter(
            f"{_PREFIX}associations_rejected",
            "Associations rejected for their AE title or address",
            registry=self.registry,
        )
        for receipt in Receipt:
            self.received.labels(receipt)
        for result in Result:
            self.results.labels(result)
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def serve(self, host: str, port: int) -> None:
        """Serves the metrics by HTTP. Raises OSError."""
        start_http_server(port, host, self.registry)

    def collect(self) -> Iterator[Metric]:
        """Yields the lengths of the queue."""
        family = GaugeMetricFamily(
            f"{_PREFIX}queue_objects", "Objects by the part of the queue", labels=["part"]
        )
        for part, count in self._lengths().items():
            family.add_metric([part], count)
        yield family

    def _counter(self, name: str, documentation: str, label: str) -> Counter:
        return Counter(f"{_PREFIX}{name}", documentation, [label], registry=self.registry)
