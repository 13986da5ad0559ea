"""What /metrics shows: our metrics of all processes, the build, and the use of each process.

BentoML and prometheus_client have metrics of their own in the same registry, which are left out:
nothing here uses them, and some have labels without bound (trap 18).
"""

import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from bentos.exemplars import get_exemplars
from bentos.process import heartbeat, pids
from chestxray.versions import version_of

if TYPE_CHECKING:
    from prometheus_client import Metric

PREFIX = "chestxray_"
TEXT, OPEN_METRICS = "text/plain", "application/openmetrics-text"
"""The formats, by media type."""
REVISION = "CHESTXRAY_REVISION"
"""Environment variable with the commit; the image sets it, not operators."""
_PACKAGES = ("bentoml", "onnxruntime")


def exposition(media_type: str = TEXT) -> tuple[bytes, str]:
    """Returns every process's metrics in a format, and its full content type."""
    from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
    from prometheus_client.openmetrics import exposition as openmetrics

    if media_type == OPEN_METRICS:
        text: bytes = openmetrics.generate_latest(Exported())  # type: ignore[no-untyped-call]
        return text, openmetrics.CONTENT_TYPE_LATEST
    return generate_latest(Exported()), CONTENT_TYPE_LATEST


class Exported:
    """A collector of all that is shown."""

    def collect(self) -> "Iterator[Metric]":
        """Yields the metrics."""
        exemplars = get_exemplars()
        for metric in _registered():
            if metric.name.startswith(PREFIX):
                yield exemplars.attach(metric)
        yield build_info()
        if folder := heartbeat.folder():
            yield from process_metrics(pids.running(folder))


def _registered() -> "Iterable[Metric]":
    from prometheus_client import REGISTRY
    from prometheus_client.multiprocess import MultiProcessCollector

    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY.collect()
    found: Iterable[Metric] = MultiProcessCollector(None).collect()  # type: ignore[no-untyped-call]
    return found


def build_info() -> "Metric":
    """What runs here; always 1."""
    from prometheus_client.core import InfoMetricFamily

    facts = {"version": version_of("chestxray"), "commit": os.environ.get(REVISION, "unknown")}
    facts |= {"python": platform.python_version()} | {name: version_of(name) for name in _PACKAGES}
    return InfoMetricFamily(f"{PREFIX}build", "What this service is built of", facts)


def process_metrics(processes: Mapping[str, int]) -> "list[Metric]":
    """Returns the standard metrics of processes by their IDs, with the label `process`.

    prometheus_client has them for one process, and not where processes share their metrics.
    """
    from prometheus_client import Metric, ProcessCollector

    families: dict[str, Metric] = {}
    for name, pid in processes.items():
        for found in ProcessCollector(pid=partial(int, pid), registry=None).collect():
            new = Metric(found.name, found.documentation, found.type)
            families.setdefault(found.name, new).samples += [
                each._replace(labels={**each.labels, "process": name}) for each in found.samples
            ]
    return list(families.values())
