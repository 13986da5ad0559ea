"""Every metric of ours, in every process; the names are the contract with dashboards and alerts.

prometheus_client decides at its import whether it shares values between processes, and BentoML
sets the variable that it decides by only when a worker has started. Hence the import inside.
"""

import os
from functools import cache
from types import SimpleNamespace
from typing import Any

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)
_SHARES = tuple(eighth / 8 for eighth in range(1, 9))
_SCORES = tuple(tenth / 10 for tenth in range(1, 11))


@cache
def get_metrics() -> SimpleNamespace:
    """Registers the metrics in this process, once."""
    return SimpleNamespace(**_of_requests(), **_of_models(), **_of_processes())


def _of_requests() -> dict[str, Any]:
    """What the gateway counts: requests, images on their way, answers."""
    from prometheus_client import Counter, Gauge, Histogram

    return dict(
        requests=Counter("chestxray_requests_total", "Answered requests", ["route", "outcome"]),
        request_seconds=Histogram(
            "chestxray_request_duration_seconds",
            "Time from the first byte in to the last byte out",
            ["route", "outcome"],
            buckets=_SECONDS,
        ),
        stage_seconds=Histogram(
            "chestxray_stage_duration_seconds", "Time in one stage", ["stage"], buckets=_SECONDS
        ),
        in_flight=Gauge(
            "chestxray_in_flight", "Images in a stage", ["stage"], multiprocess_mode="livesum"
        ),
        shed=Counter("chestxray_shed_total", "Requests refused for want of capacity", ["reason"]),
        dropped=Counter(
            "chestxray_dropped_total",
            "Images whose caller left or whose deadline passed, by the stage they were spared",
            ["stage"],
        ),
        decoder_restarts=Counter(
            "chestxray_decoder_restarts_total",
            "Decoders' processes that were replaced, by why",
            ["reason"],
        ),
        admission_limit=Gauge(
            "chestxray_admission_limit", "Images let in at once", multiprocess_mode="livemax"
        ),
        verdicts=Counter("chestxray_filter_verdicts_total", "Answers of the filter", ["verdict"]),
        predictions=Counter("chestxray_predictions_total", "Answers of the classifier", ["label"]),
        scores=Histogram(
            "chestxray_prediction_score", "Probability of a class", ["label"], buckets=_SCORES
        ),
    )


def _of_models() -> dict[str, Any]:
    """What each model's batches are counted by."""
    from prometheus_client import Histogram

    return dict(
        batch_size=Histogram(
            "chestxray_batch_size", "Images that a model took at once", ["model"], buckets=_BATCHES
        ),
        batch_fill=Histogram(
            "chestxray_batch_fill_ratio",
            "Images sent to a model at once, of the most that it takes",
            ["model"],
            buckets=_SHARES,
        ),
        batch_queue_seconds=Histogram(
            "chestxray_batch_queue_seconds",
            "Time that images waited for their batch",
            ["model"],
            buckets=_SECONDS,
        ),
        batch_seconds=Histogram(
            "chestxray_batch_duration_seconds", "Time of one batch", ["model"], buckets=_SECONDS
        ),
    )


def _of_processes() -> dict[str, Any]:
    """Who answers, and what is loaded in each process."""
    from prometheus_client import Counter, Gauge

    return dict(
        runner_images=Counter(
            "chestxray_runner_images_total",
            "Images that a model answered, by whose: the own runner's or the classifier pods'",
            ["model", "runner"],
        ),
        runner_ready=Gauge(
            "chestxray_runner_ready",
            "1 where the own runner answered when readiness was asked for last",
            ["model"],
            multiprocess_mode="livemin",
        ),
        classifier_pods=Gauge(
            "chestxray_classifier_pods",
            "Classifier pods that images are sent to now",
            multiprocess_mode="livemax",
        ),
        pod_failures=Counter(
            "chestxray_pod_failures_total",
            "Classifier pods that were given up or not taken into use, by why",
            ["reason"],
        ),
        process_restarts=Counter(
            "chestxray_process_restarts_total",
            "Processes that were started again, by why",
            ["process", "reason"],
        ),
        model_info=Gauge(
            "chestxray_model_info",
            "1 for the model that is served",
            ["model", "version", "digest"],
            multiprocess_mode="livemax",
        ),
        model_load_seconds=Gauge(
            "chestxray_model_load_seconds",
            "Time to load and warm up",
            ["model"],
            multiprocess_mode="livemax",
        ),
    )


def exposition() -> tuple[bytes, str]:
    """Every process's metrics in Prometheus's text format, and its media type."""
    from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST
