"""Exemplars of the request durations: in each bucket, the trace of the latest request.

prometheus_client keeps none where processes share their metrics. Requests are counted by the same
process that answers /metrics, so it remembers them itself, until it ends.
"""

import math
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from bentos.metrics import REQUEST_BUCKETS, REQUEST_SECONDS

if TYPE_CHECKING:
    from prometheus_client import Metric
    from prometheus_client.samples import Exemplar, Sample


class Exemplars:
    """Bounded by the number of routes, outcomes and buckets."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._latest: dict[tuple[str, str, float], Exemplar] = {}

    def record(self, route: str, outcome: str, seconds: float, trace_id: str) -> None:
        """Remembers a request that has a trace."""
        from prometheus_client.samples import Exemplar

        bucket = next((bound for bound in REQUEST_BUCKETS if seconds <= bound), math.inf)
        exemplar = Exemplar({"trace_id": trace_id}, seconds, self._clock())
        self._latest[route, outcome, bucket] = exemplar

    def attach(self, metric: "Metric") -> "Metric":
        """Returns the metric, with exemplars if it is that of the request durations."""
        if metric.name == REQUEST_SECONDS:
            metric.samples = [self._with_exemplar(each) for each in metric.samples]
        return metric

    def _with_exemplar(self, sample: "Sample") -> "Sample":
        labels = sample.labels
        if "le" not in labels:
            return sample
        key = labels["route"], labels["outcome"], float(labels["le"])
        return sample._replace(exemplar=self._latest.get(key))


@cache
def get_exemplars() -> Exemplars:
    """Returns those of this process."""
    return Exemplars()
