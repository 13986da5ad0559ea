"""The metrics that the code exports, from their typed declarations."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client import Counter, Histogram
from prometheus_client.utils import floatToGoString

from bentos.dicom_node import metrics as dicom
from bentos.dicom_node.queue import Queue
from bentos.gateway.app import ADMITTED
from bentos.metrics import Metrics, create_gateway_series
from tests import declared

TARGET = {"job", "instance", "namespace", "pod", "container", "workload"}
"""Labels that both scrape configurations give to every series."""


@cache
def fields() -> dict[str, str]:
    """The names of all series, each with the field of `Metrics` that it comes from."""
    found: dict[str, str] = {}
    for field, value in declared.fields().items():
        metric = declared.metric_of(value)
        suffixes = [""]
        if isinstance(metric, Counter):
            suffixes = ["_total"]
        elif isinstance(metric, Histogram):
            suffixes = ["_sum", "_count", "_bucket"]
        found |= {f"{metric._name}{suffix}": field for suffix in suffixes}
    return found


@cache
def of_node() -> dict[str, dict[str, set[str]]]:
    """The series of the DICOM node by their names, with the values of their labels."""
    found: dict[str, dict[str, set[str]]] = {}
    with TemporaryDirectory() as folder:
        queue = Queue(Path(folder), max_bytes=1)
        for family in dicom.Metrics(queue, max_bytes=1).registry.collect():
            for sample in family.samples:
                if not sample.name.startswith("chestxray_") or sample.name.endswith("_created"):
                    continue
                known = found.setdefault(sample.name, {})
                for label, value in sample.labels.items():
                    known.setdefault(label, set()).add(value)
    return found


@cache
def labels() -> dict[str, set[str]]:
    """The labels of every series by its name, without the target's labels."""
    return {
        name: set(declared.label_values(field)) | ({"le"} if name.endswith("_bucket") else set())
        for name, field in fields().items()
    } | {name: set(known) for name, known in of_node().items()}


def bounds(bucket: str) -> set[str]:
    """The bounds of a histogram's buckets, as Prometheus formats them."""
    metric = declared.metric_of(getattr(Metrics(), fields()[bucket]))
    assert isinstance(metric, Histogram)
    return {floatToGoString(bound) for bound in metric._upper_bounds}


def can_have(name: str, label: str, value: str) -> bool:
    """Whether the code, or a scrape configuration, may give a label such a value."""
    match label:
        case "le":
            return value in bounds(name)
        case "route":
            return value in ADMITTED
        case "workload" | "container":
            return value in ("gateway", "classifier", "dicom")
        case "job":
            return value == "chestxray"
        case "pod":
            return value == "$pod"
        case "namespace":
            return value in ("$namespace", "chestxray")  # a dashboard's, an overlay's
        case _ if name in of_node():
            return value in of_node()[name][label]
        case _:
            return value in (declared.label_values(fields()[name]).get(label) or ())


def is_exported_by_gateways(name: str) -> bool:
    """Whether a gateway's own process exports a metric, even when no other pod runs."""
    metrics = Metrics()
    create_gateway_series(metrics, ADMITTED)
    created = {field for field, _ in declared.created_series(metrics)}
    return fields().get(name) in created
