"""The Grafana dashboards, one module each."""

from monitoring.dashboards.batches import batches
from monitoring.dashboards.capacity import capacity
from monitoring.dashboards.latency import latency
from monitoring.dashboards.models import models
from monitoring.dashboards.traffic import traffic
from monitoring.grafana import Dashboard


def dashboards() -> list[Dashboard]:
    """Returns all dashboards, from symptoms (traffic, latency) to causes and cost."""
    return [traffic(), latency(), batches(), models(), capacity()]
