"""What the code exports, read from the code."""

import re
from functools import cache

from prometheus_client import Counter, Histogram
from prometheus_client.utils import floatToGoString

from bentos.gateway.analyses import PATHS
from bentos.metrics import get_metrics
from chestxray.labels import FINDINGS, VERDICTS
from tests.conftest import ROOT

TARGET = {"job", "instance", "namespace", "pod", "container", "workload"}
"""Labels that both scrape configurations give to every series."""


@cache
def labels() -> dict[str, set[str]]:
    """The labels of every series by its name, the target's not among them."""
    found: dict[str, set[str]] = {}
    for metric in vars(get_metrics()).values():
        name, own = metric._name, set(metric._labelnames)
        if isinstance(metric, Counter):
            found[f"{name}_total"] = own
        elif isinstance(metric, Histogram):
            found |= {f"{name}_sum": own, f"{name}_count": own, f"{name}_bucket": own | {"le"}}
        else:
            found[name] = own
    return found


def bounds(bucket: str) -> set[str]:
    """The bounds of a histogram's buckets, as they are written."""
    name = bucket.removesuffix("_bucket")
    metric = next(each for each in vars(get_metrics()).values() if each._name == name)
    return {floatToGoString(bound) for bound in metric._upper_bounds}


def can_have(metric: str, label: str, value: str) -> bool:
    """Whether the code, or a scrape configuration, may give a label such a value."""
    match label:
        case "le":
            return value in bounds(metric)
        case "verdict":
            return value in VERDICTS
        case "label":
            return value in FINDINGS
        case "route":
            return value in PATHS
        case "model" | "stage" | "outcome" | "reason" | "process" | "runner":
            return f'"{value}"' in _source()
        case "workload" | "container":
            return value in ("gateway", "classifier")
        case "job":
            return value == "chestxray"
        case "namespace":
            return value == "$namespace"
        case _:
            return False


def by_gateways(metric: str) -> bool:
    """Whether the gateway itself counts a metric, so that it exists without classifier pods."""
    name = metric.removesuffix("_total")
    names = {key: each._name for key, each in vars(get_metrics()).items()}
    key = next((key for key, own in names.items() if own == name), None)
    folders = (ROOT / "bentos" / name for name in ("gateway", "admission"))
    files = [path for folder in folders for path in folder.rglob("*.py")]
    counts = re.compile(rf"metrics(\(\))?\.{key}\.")
    return key is not None and any(counts.search(path.read_text()) for path in files)


@cache
def _source() -> str:
    return "\n".join(path.read_text() for path in sorted((ROOT / "bentos").rglob("*.py")))
