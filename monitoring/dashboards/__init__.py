"""What the dashboards show, a module for each."""

from monitoring.dashboards.batches import batches
from monitoring.dashboards.capacity import capacity
from monitoring.dashboards.latency import latency
from monitoring.dashboards.models import models
from monitoring.dashboards.traffic import traffic
from monitoring.grafana import Dashboard


def dashboards() -> list[Dashboard]:
    """All of them, in the order of asking: is it well, where is the time, what does it cost."""
    return [traffic(), latency(), batches(), models(), capacity()]
