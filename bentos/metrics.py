"""The metrics of every process; their names are the contract with dashboards and alerts."""

# ruff: noqa: RUF009 - the calls below return dataclass fields, not values

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, get_args

from bentos.metric_declarations import Labelled, counter, gauge, histogram, register
from bentos.metric_labels import (
    Backend,
    DecoderRestartReason,
    DropStage,
    InFlightStage,
    JobOutcome,
    ModelName,
    ModelStage,
    Outcome,
    PodFailureReason,
    ProcessName,
    ProcessRestartReason,
    QuotaKind,
    ShedReason,
    Stage,
    TimedStage,
)
from chestxray.labels import Finding, Verdict

if TYPE_CHECKING:
    from prometheus_client import Counter, Gauge, Histogram

REQUEST_SECONDS = "chestxray_request_duration_seconds"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
REQUEST_BUCKETS = tuple(sorted({*_SECONDS, 1.5, 4.0}))
"""In seconds; the bounds of loadtests/objectives.toml are among them."""
_BATCH_SECONDS = (0.0005, 0.001, 0.002, *_SECONDS)
"""A GPU computes a batch within a few milliseconds."""
_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)
_SHARES = tuple(eighth / 8 for eighth in range(1, 9))
_SCORES = tuple(tenth / 10 for tenth in range(1, 11))


@dataclass(frozen=True)
class Metrics:
    """The metrics, not registered yet."""

    requests: "Labelled[Counter, str, Outcome]" = counter(
        "chestxray_requests_total", "Requests answered", "route", "outcome"
    )
    request_seconds: "Labelled[Histogram, str, Outcome]" = histogram(
        REQUEST_SECONDS,
        "Time from the first byte of a request to the last byte of its response",
        "route",
        "outcome",
        buckets=REQUEST_BUCKETS,
    )
    stage_seconds: "Labelled[Histogram, TimedStage]" = histogram(
        "chestxray_stage_duration_seconds",
        "Time that an image spent in a stage",
        "stage",
        buckets=_SECONDS,
    )
    in_flight: "Labelled[Gauge, InFlightStage]" = gauge(
        "chestxray_in_flight", "Images in flight, by stage", "stage", multiprocess_mode="livesum"
    )
    image_seconds: "Counter" = counter(
        "chestxray_in_flight_image_seconds_total",
        "Images in flight, integrated over time: its rate is their mean number",
    )
    job_items: "Labelled[Counter, JobOutcome]" = counter(
        "chestxray_job_items_total", "Images of jobs that got their result, by outcome", "outcome"
    )
    jobs_waiting: "Gauge" = gauge(
        "chestxray_job_items_waiting",
        "Images of jobs that wait or are being analysed, in the database of all gateways",
        multiprocess_mode="livemax",
    )
    shed: "Labelled[Counter, ShedReason]" = counter(
        "chestxray_shed_total",
        "Requests refused because a capacity limit was reached, by reason",
        "reason",
    )
    quota_refusals: "Labelled[Counter, QuotaKind]" = counter(
        "chestxray_quota_refusals_total",
        "Requests answered 429 because a quota is used up, by whose it is",
        "quota",
    )
    quota_store_failures: "Counter" = counter(
        "chestxray_quota_store_failures_total",
        "Times that the shared store of quotas failed, each for seconds of counting in memory",
    )
    audit_failures: "Counter" = counter(
        "chestxray_audit_failures_total", "Lines that could not be appended to the audit file"
    )
    dropped: "Labelled[Counter, DropStage]" = counter(
        "chestxray_dropped_total",
        "Images dropped because their client disconnected or their deadline passed, "
        "by the stage that they did not enter",
        "stage",
    )
    decoder_restarts: "Labelled[Counter, DecoderRestartReason]" = counter(
        "chestxray_decoder_restarts_total", "Decoder processes replaced, by reason", "reason"
    )
    admission_limit: "Gauge" = gauge(
        "chestxray_admission_limit",
        "Maximum number of images admitted at once",
        multiprocess_mode="livemax",
    )
    verdicts: "Labelled[Counter, Verdict]" = counter(
        "chestxray_filter_verdicts_total", "Images judged by the filter, by verdict", "verdict"
    )
    predictions: "Labelled[Counter, Finding]" = counter(
        "chestxray_predictions_total", "Images classified, by predicted label", "label"
    )
    scores: "Labelled[Histogram, Finding]" = histogram(
        "chestxray_prediction_score", "Predicted probability of a label", "label", buckets=_SCORES
    )
    batch_size: "Labelled[Histogram, ModelName]" = histogram(
        "chestxray_batch_size", "Images in a batch, in the model process", "model", buckets=_BATCHES
    )
    batch_fill: "Labelled[Histogram, ModelName]" = histogram(
        "chestxray_batch_fill_ratio",
        "Images that a model computes when a batch starts, as a share of its maximum",
        "model",
        buckets=_SHARES,
    )
    batch_queue_seconds: "Labelled[Histogram, ModelName]" = histogram(
        "chestxray_batch_queue_seconds",
        "Time that an image waited for its batch to start",
        "model",
        buckets=_BATCH_SECONDS,
    )
    batch_seconds: "Labelled[Histogram, ModelName]" = histogram(
        "chestxray_batch_duration_seconds",
        "Inference time of a batch",
        "model",
        buckets=_BATCH_SECONDS,
    )
    model_images: "Labelled[Counter, ModelName, Backend]" = counter(
        "chestxray_model_images_total",
        "Images processed, by model and by where: its own process or the classifier pods",
        "model",
        "backend",
    )
    model_ready: "Labelled[Gauge, ModelName]" = gauge(
        "chestxray_model_ready",
        "1 if the model's own process was ready at the last readiness probe, otherwise 0",
        "model",
        multiprocess_mode="livemin",
    )
    classifier_pods: "Gauge" = gauge(
        "chestxray_classifier_pods", "Classifier pods in use", multiprocess_mode="livemax"
    )
    pod_failures: "Labelled[Counter, PodFailureReason]" = counter(
        "chestxray_pod_failures_total",
        "Classifier pods removed from use, or not taken into use, by reason",
        "reason",
    )
    process_restarts: "Labelled[Counter, ProcessName, ProcessRestartReason]" = counter(
        "chestxray_process_restarts_total",
        "Processes restarted, by process and reason",
        "process",
        "reason",
    )
    model_info: "Labelled[Gauge, ModelName, str, str]" = gauge(
        "chestxray_model_info",
        "1 for every model served, with its version and digest",
        "model",
        "version",
        "digest",
        multiprocess_mode="livemax",
    )
    model_load_seconds: "Labelled[Gauge, ModelName]" = gauge(
        "chestxray_model_load_seconds",
        "Time to load a model and warm it up",
        "model",
        multiprocess_mode="livemax",
    )


@cache
def get_metrics() -> Metrics:
    """Registers the metrics in this process, once."""
    metrics = Metrics()
    register(metrics)
    return metrics


def create_gateway_series(metrics: Metrics, routes: Iterable[str]) -> None:
    """Creates what a gateway counts, its analyses' `routes` among it."""
    _create_request_series(metrics, routes)
    metrics.stage_seconds.create(product(get_args(TimedStage)))
    metrics.in_flight.create(product(get_args(InFlightStage)))
    metrics.shed.create(product(ShedReason))
    metrics.quota_refusals.create(product(QuotaKind))
    metrics.job_items.create(product(JobOutcome))
    metrics.dropped.create([(Stage.DECODE,)])
    metrics.decoder_restarts.create(product(DecoderRestartReason))
    metrics.verdicts.create(product(Verdict))
    metrics.predictions.create(product(Finding))
    metrics.scores.create(product(Finding))
    metrics.model_images.create(product(ModelName, [Backend.LOCAL]))
    metrics.model_images.create([(ModelName.COVID_CLASSIFIER, Backend.PODS)])
    metrics.pod_failures.create(product(get_args(PodFailureReason)))


def create_model_series(metrics: Metrics, model: ModelName, stage: ModelStage) -> None:
    """Creates what a model's process counts."""
    metrics.dropped.create([(stage,)])
    metrics.batch_size.create([(model,)])
    metrics.batch_fill.create([(model,)])
    metrics.batch_queue_seconds.create([(model,)])
    metrics.batch_seconds.create([(model,)])


def create_classifier_pod_series(metrics: Metrics, routes: Iterable[str]) -> None:
    """Creates what a model's process counts besides where it is a classifier pod."""
    _create_request_series(metrics, routes)
    metrics.shed.create([(ShedReason.CONNECTIONS,)])


def create_supervisor_series(metrics: Metrics, processes: Iterable[ProcessName]) -> None:
    """Creates what the supervisor counts of its processes."""
    metrics.process_restarts.create(product(processes, ProcessRestartReason))


def _create_request_series(metrics: Metrics, routes: Iterable[str]) -> None:
    series = list(product(routes, Outcome))
    metrics.requests.create(series)
    metrics.request_seconds.create(series)
