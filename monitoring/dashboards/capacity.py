"""Dashboard: headroom, classifier tier, and what an image costs."""

from loadtests import measured_capacity as measured
from monitoring.boards import Dashboard, Panel, Row
from monitoring.matchers import CONTAINERS, GATEWAYS
from monitoring.queries import demand, gauge, increase, rate

_MEASURED = measured.read()
_CLASSIFIER = 'model="covid_classifier"'
_ADMITTED = gauge("chestxray_in_flight", 'stage="admitted"')
_IMAGES = rate("chestxray_filter_verdicts_total")
_CPU = rate("container_cpu_usage_seconds_total", CONTAINERS)
_CORES = gauge("kube_pod_container_resource_requests", CONTAINERS, 'resource="cpu"')
_NOTE = f"""\
One replica was measured at **{_MEASURED.images_per_second:g} images/s** on {_MEASURED.machine},
with **{_MEASURED.cpu_seconds_per_image:g} CPU-seconds** per image and **{_MEASURED.megabytes:g}
MB** of memory (`loadtests/measured_capacity.toml`). The cost of an image is its CPU-seconds, below,
times the price of a core-second."""


def capacity() -> Dashboard:
    """Builds the dashboard."""
    return Dashboard(
        "capacity",
        "capacity and cost",
        [
            Row("Headroom", _HEADROOM),
            Row("Classifier tier and processes", _TIER),
            Row("Kept analyses and jobs (empty where the service keeps none)", _KEPT),
            Row("CPU and memory used", _USED, needs=["cAdvisor"]),
            Row("CPU requested", _REQUESTED, needs=["kube-state-metrics"]),
        ],
        note=_NOTE,
    )


_HEADROOM = [
    Panel(
        "Images in flight",
        "short",
        {
            "in flight": f"sum({_ADMITTED})",
            "mean": rate("chestxray_in_flight_image_seconds_total"),
            "admission limit": f"sum({gauge('chestxray_admission_limit')})",
        },
        "Requests above the limit are shed.",
    ),
    Panel(
        "Demand and throughput",
        "cps",
        {
            "demand": demand(),
            "classified": rate("chestxray_predictions_total"),
        },
        "Images per second: those that pass the filter, refused ones in proportion, and those "
        "classified. The demand scales the classifier tier.",
    ),
    Panel(
        "Gateway utilisation against measured capacity",
        "percentunit",
        {
            "{{pod}}": f"{rate('chestxray_filter_verdicts_total', by='pod')}"
            f" / {_MEASURED.images_per_second:g}"
        },
        "Above 1 if the classifier tier or a faster machine takes part of the work.",
    ),
]
_TIER = [
    Panel(
        "Images classified, by backend",
        "cps",
        {"{{backend}}": rate("chestxray_model_images_total", _CLASSIFIER, by="backend")},
        "local: the gateway's own model; pods: the classifier tier.",
        "stack",
    ),
    Panel(
        "Classifier pods in use",
        "short",
        {
            "by most": f"max({gauge('chestxray_classifier_pods', GATEWAYS)})",
            "by fewest": f"min({gauge('chestxray_classifier_pods', GATEWAYS)})",
        },
        "By the gateway that uses most of them, and by the one that uses fewest.",
    ),
    Panel(
        "Classifier pods closed",
        "short",
        {"{{reason}}": increase("chestxray_pod_failures_total", "1h", by="reason")},
        "Per hour. malformed, implausible, wrong: the pod does not run our classifier.",
    ),
    Panel(
        "Decoder restarts",
        "short",
        {"{{reason}}": increase("chestxray_decoder_restarts_total", "1h", by="reason")},
        "Per hour. A file exceeded the time or memory limit or crashed the decoder; idle: the "
        "process died between files.",
    ),
    Panel(
        "Process restarts",
        "short",
        {
            "{{process}} {{reason}}": increase(
                "chestxray_process_restarts_total", "1h", by="process, reason"
            )
        },
        "Per hour.",
    ),
    Panel(
        "Model utilisation",
        "percentunit",
        {"{{pod}} {{model}}": rate("chestxray_batch_duration_seconds_sum", by="pod, model")},
        "Share of the time that a model spends on a batch; 1 is saturated.",
    ),
]
_KEPT = [
    Panel(
        "Size of kept pictures",
        "bytes",
        {
            "size": f"max({gauge('chestxray_kept_bytes')})",
            "limit": f"min({gauge('chestxray_kept_limit_bytes')})",
        },
        "At the last sweep. At the limit no further analysis is kept.",
    ),
    Panel(
        "Kept analyses",
        "short",
        {
            "kept": f"max({gauge('chestxray_kept_analyses')})",
            "deleted per hour": increase("chestxray_swept_total", "1h"),
        },
        "At the last sweep, and those whose deletion a sweep completed.",
    ),
    Panel(
        "Time since the last sweep",
        "s",
        {"{{kind}}": f"time() - max by (kind) ({gauge('chestxray_last_sweep_timestamp_seconds')})"},
        "Every gateway sweeps for all, about once a minute.",
    ),
    Panel(
        "Failures of the storage",
        "cps",
        {"{{part}}": rate("chestxray_storage_failures_total", by="part")},
        "Operations that failed; a request that needs one is answered 503.",
        "stack",
    ),
    Panel(
        "Images of jobs that wait",
        "short",
        {"waiting": f"max({gauge('chestxray_job_items_waiting')})"},
        "Or are being analysed; in the database of all gateways.",
    ),
    Panel(
        "Images of jobs that got their result",
        "cps",
        {"{{outcome}}": rate("chestxray_job_items_total", by="outcome")},
        "problem: one instead of an analysis, such as that of the filter.",
        "stack",
    ),
    Panel(
        "Attempts to deliver to webhooks",
        "cps",
        {"{{outcome}}": rate("chestxray_webhook_attempts_total", by="outcome")},
        "failed: it will be tried again.",
        "stack",
    ),
    Panel(
        "Messages to webhooks that wait",
        "short",
        {
            "waiting": f"max({gauge('chestxray_webhook_deliveries_waiting')})",
            "seconds late": f"max({gauge('chestxray_webhook_overdue_seconds')})",
        },
        "Those to receivers that fail wait, but are not counted as late.",
    ),
]
_USED = [
    Panel(
        "CPU-seconds per image",
        "s",
        {
            "spent": f"{_CPU} / {_IMAGES}",
            "measured": f"vector({_MEASURED.cpu_seconds_per_image:g})",
        },
        "Gateways and classifier pods together; idle pods raise it.",
    ),
    Panel(
        "Throughput per core used",
        "cps",
        {
            "served": f"{_IMAGES} / {_CPU}",
            "measured": f"vector({1 / _MEASURED.cpu_seconds_per_image:.3g})",
        },
        "Images per second; the reciprocal of the CPU-seconds per image.",
    ),
    Panel(
        "Memory by pod",
        "decbytes",
        {
            "{{pod}}": f"sum by (pod) ({gauge('container_memory_working_set_bytes', CONTAINERS)})",
            "measured": f"vector({_MEASURED.megabytes:g}e6)",
        },
        "The measured value covers all processes of one replica.",
    ),
]
_REQUESTED = [
    Panel(
        "Throughput per core requested",
        "cps",
        {"served": f"{_IMAGES} / sum({_CORES})"},
        "Images per second; requested cores cost money whether used or not.",
    ),
]
