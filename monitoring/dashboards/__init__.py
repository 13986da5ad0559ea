"""The Grafana dashboards, one module each."""

from monitoring.boards import Dashboard
from monitoring.dashboards.batches import batches
from monitoring.dashboards.capacity import capacity
from monitoring.dashboards.dicom import dicom
from monitoring.dashboards.latency import latency
from monitoring.dashboards.models import models
from monitoring.dashboards.overview import overview
from monitoring.dashboards.traffic import traffic


def dashboards() -> list[Dashboard]:
    """Returns all dashboards: the overview, then from symptoms (traffic, latency) to causes."""
    return [overview(), traffic(), latency(), batches(), models(), capacity(), dicom()]
