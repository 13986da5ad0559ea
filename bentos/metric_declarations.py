"""How metrics are declared: as fields of a dataclass, with the types of their labels.

prometheus_client decides at its import whether it shares values between processes, and BentoML
sets the variable that it decides by only when a worker has started. Hence the imports inside.
"""

from collections.abc import Iterable
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, TypeVarTuple

if TYPE_CHECKING:
    from prometheus_client.metrics import MetricWrapperBase

M = TypeVar("M", bound="MetricWrapperBase")
Labels = TypeVarTuple("Labels")


class Labelled(Generic[M, *Labels]):
    """A metric with labels whose values have types."""

    def __init__(self, metric: M) -> None:
        self.metric = metric

    def labels(self, *values: *Labels) -> M:
        """Returns the series with these values."""
        return self.metric.labels(*values)

    def create(self, series: Iterable[tuple[*Labels]]) -> None:
        """Creates series, so that each is exported as 0 until it first counts."""
        for values in series:
            self.labels(*values)


def _metric(kind: str, name: str, documentation: str, *labels: str, **options: Any) -> Any:
    """Declares a field that holds a metric."""

    def build() -> Any:
        import prometheus_client

        make = getattr(prometheus_client, kind)
        metric = make(name, documentation, labels, registry=None, **options)
        return Labelled(metric) if labels else metric

    return field(default_factory=build)


counter, gauge = partial(_metric, "Counter"), partial(_metric, "Gauge")
histogram = partial(_metric, "Histogram")


def register(metrics: object) -> None:
    """Registers every metric of a dataclass in this process."""
    from prometheus_client import REGISTRY

    for each in vars(metrics).values():
        REGISTRY.register(each.metric if isinstance(each, Labelled) else each)
