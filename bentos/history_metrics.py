"""The metrics of kept analyses and webhooks; they exist only in a gateway that keeps some."""

# ruff: noqa: RUF009 - the calls below return dataclass fields, not values

from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

from bentos.metric_declarations import Labelled, counter, gauge, register
from bentos.metric_labels import StoragePart, Swept, WebhookOutcome

if TYPE_CHECKING:
    from prometheus_client import Counter, Gauge


@dataclass(frozen=True)
class HistoryMetrics:
    """The metrics, not registered yet. All gateways have the same storage, so the gauges of all
    tell the same, each as of its own last sweep."""

    kept: "Gauge" = gauge(
        "chestxray_kept_analyses",
        "Kept analyses, those whose deletion is not complete among them, at the last sweep",
        multiprocess_mode="livemax",
    )
    kept_bytes: "Gauge" = gauge(
        "chestxray_kept_bytes",
        "Size of all kept pictures at the last sweep",
        multiprocess_mode="livemax",
    )
    kept_limit_bytes: "Gauge" = gauge(
        "chestxray_kept_limit_bytes",
        "Size above which no further analysis is kept",
        multiprocess_mode="livemax",
    )
    last_sweep: "Labelled[Gauge, Swept]" = gauge(
        "chestxray_last_sweep_timestamp_seconds",
        "Time at which the last sweep was complete, by what it deletes; 0 before the first",
        "kind",
        multiprocess_mode="livemax",
    )
    swept: "Counter" = counter(
        "chestxray_swept_total", "Kept analyses whose deletion was completed by a sweep"
    )
    failures: "Labelled[Counter, StoragePart]" = counter(
        "chestxray_storage_failures_total",
        "Operations on the storage of kept analyses that failed, by its part",
        "part",
    )
    webhook_deliveries: "Labelled[Counter, WebhookOutcome]" = counter(
        "chestxray_webhook_attempts_total",
        "Attempts to deliver to callers' webhooks, by outcome",
        "outcome",
    )
    webhooks_waiting: "Gauge" = gauge(
        "chestxray_webhook_deliveries_waiting",
        "Deliveries to webhooks that wait for an attempt, in the database of all gateways",
        multiprocess_mode="livemax",
    )
    webhooks_overdue: "Gauge" = gauge(
        "chestxray_webhook_overdue_seconds",
        "How long the delivery has been due that has been so longest, to no receiver that fails",
        multiprocess_mode="livemax",
    )


@cache
def get_history_metrics() -> HistoryMetrics:
    """Registers the metrics in this process, once."""
    metrics = HistoryMetrics()
    register(metrics)
    return metrics


def create_history_series(metrics: HistoryMetrics, *, max_bytes: int) -> None:
    """Creates what a gateway counts that keeps analyses."""
    metrics.failures.create(product(StoragePart))
    metrics.webhook_deliveries.create(product(WebhookOutcome))
    metrics.last_sweep.create(product(Swept))
    metrics.kept_limit_bytes.set(max_bytes)
