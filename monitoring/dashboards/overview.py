"""Dashboard: how the service does, at a glance; the first one to open."""

from bentos.gateway.analyses import PATHS
from bentos.gateway.app import ADMITTED
from loadtests import measured_capacity as measured
from monitoring.boards import Dashboard, Panel, Price, Row, at_least, at_most
from monitoring.matchers import BLACKBOX_JOB, CONTAINERS, GATEWAYS, IN_OUR_NAMESPACES, JOB
from monitoring.objectives import (
    ANALYSES,
    ANSWERED,
    AVAILABILITY_LEFT,
    ERROR_RATE,
    FAILED,
    JUDGED,
    LATENCY_LEFT,
    P95_SECONDS,
    SHED_RATE,
    SLOW_RATES,
)
from monitoring.public_address import EXPIRY_DAYS
from monitoring.queries import POD, demand, gauge, gpu, increase, quantile, rate, share

_REQUESTS, _SECONDS = "chestxray_requests_total", "chestxray_request_duration_seconds"
_IMAGES, _RESTARTS = "chestxray_filter_verdicts_total", "chestxray_process_restarts_total"
_SINGLE = f'route="{PATHS[0]}"'
_JUDGED = rate(_REQUESTS, ANALYSES, JUDGED)
_SHED = rate("chestxray_shed_total", GATEWAYS)
_CPU_PRICE = Price("cpu_price", "Price of a CPU core-hour", 0.04)
_GPU_PRICE = Price("gpu_price", "Price of a GPU-hour", 2)
_LITTLE_BUDGET = 0.25


def overview() -> Dashboard:
    """Builds the dashboard."""
    rows = [
        Row("Now", _NOW),
        Row("Error budget left of 30 days; restarts and cost", [*_budgets(), _restarts(), _cost()]),
        Row("Replicas and demand", [_replicas("gateway"), _replicas("classifier"), _demand()]),
        Row("By pod", _BY_POD),
        Row("Containers", _CONTAINERS, needs=["cAdvisor", "kube-state-metrics"]),
        Row("GPUs of the classifier tier", _GPUS, needs=["dcgm-exporter"]),
        Row("Public address", _PUBLIC, needs=["blackbox exporter"]),
    ]
    prices = [_CPU_PRICE, _GPU_PRICE]
    return Dashboard("overview", "overview", rows, by_pod=True, prices=prices)


_NOW = [
    Panel(
        "Requests",
        "reqps",
        {"requests": rate(_REQUESTS, ANALYSES)},
        "Requests to both analysis routes.",
        "stat",
    ),
    Panel(
        "Errors",
        "percentunit",
        {"errors": share(rate(_REQUESTS, ANALYSES, FAILED), _JUDGED)},
        f"Server errors and missed deadlines; red from the objective of {ERROR_RATE:.1%} on.",
        "stat",
        at_most(ERROR_RATE),
    ),
    Panel(
        "Latency, 95th percentile",
        "s",
        # The comparison drops the NaN of a window without requests.
        {"single images": f"{quantile(0.95, _SECONDS, _SINGLE, ANSWERED)} >= 0"},
        f"Of single images; red from the objective of {P95_SECONDS:g} s on.",
        "stat",
        at_most(P95_SECONDS),
        empty="no requests",
    ),
    Panel("Images", "cps", {"images": rate(_IMAGES)}, "Images judged by the filter.", "stat"),
    Panel(
        "Shed requests",
        "percentunit",
        {"shed": share(_SHED, f"({_SHED} + {_JUDGED})")},
        f"Refused at the capacity limit; red from the objective of {SHED_RATE:.0%} on.",
        "stat",
        at_most(SHED_RATE),
    ),
    Panel(
        "Alerts",
        "short",
        {"firing": 'count(ALERTS{alertname=~"Chestxray.+", alertstate="firing"}) or vector(0)'},
        "Firing now, in every namespace.",
        "stat",
        at_most(1),
    ),
]


def _budgets() -> list[Panel]:
    names = dict(zip(ADMITTED, ("single images", "batches", "inference protocol"), strict=True))
    of_route = {route: f'route="{route}"' for route in ADMITTED}
    return [
        Panel(
            f"{which}, {name}",
            "percentunit",
            {name: f"min({gauge(record, of_route[route])})"},
            "What is left of what 30 days allow; orange below a quarter, red once overspent. It "
            "covers less if Prometheus keeps less.",
            "stat",
            at_least(_LITTLE_BUDGET),
        )
        for which, record in (("Availability", AVAILABILITY_LEFT), ("Latency", LATENCY_LEFT))
        for route, name in names.items()
        if record == AVAILABILITY_LEFT or route in SLOW_RATES
    ]


def _restarts() -> Panel:
    return Panel(
        "Process restarts",
        "short",
        {"restarts": increase(_RESTARTS, "1h")},
        "In the last hour, by the supervisors.",
        "stat",
        at_most(1),
    )


def _cost() -> Panel:
    def requested(resource: str, price: Price) -> str:
        requests = gauge("kube_pod_container_resource_requests", CONTAINERS, resource)
        return f"sum({requests} {IN_OUR_NAMESPACES}) * ${price.name}"

    cpus = requested('resource="cpu"', _CPU_PRICE)
    gpus = requested('resource=~"nvidia_com_.+"', _GPU_PRICE)
    hour = f"avg_over_time(({cpus} + ({gpus} or vector(0)))[1h:1m])"
    cpu_hours = measured.read().cpu_seconds_per_image / 3600
    least = f"vector({1000 * cpu_hours:.3g} * ${_CPU_PRICE.name})"
    return Panel(
        "Cost of 1,000 images",
        "none",
        {"cost": f"1000 * {hour} / ({increase(_IMAGES, '1h')} > 0) or {least}"},
        "The cores and GPUs requested in the last hour at the prices above, over the images in it. "
        "Without kube-state-metrics or images: the measured CPU time of an image at that price.",
        "stat",
    )


def _replicas(workload: str) -> Panel:
    """Fewer are ready than wanted while pods start, fail or wait for a node."""

    def of_deployment(which: str) -> str:
        named = f'deployment="{workload}"'
        return f"sum({gauge(f'kube_deployment_{which}', named)} {IN_OUR_NAMESPACES})"

    pods, models = f'workload="{workload}"', gauge("chestxray_model_ready", GATEWAYS)
    scraped = f"count({gauge('up', JOB, pods)})"
    ready = {
        "gateway": f"count(min by (namespace, pod) ({models}) > 0)",
        "classifier": f"max({gauge('chestxray_classifier_pods', GATEWAYS)})",
    }
    return Panel(
        f"Replicas: {workload}",
        "short",
        {
            "wanted": f"{of_deployment('spec_replicas')} or {scraped} or vector(0)",
            "ready": f"{of_deployment('status_replicas_ready')} or {ready[workload]} or vector(0)",
        },
        "Without kube-state-metrics: wanted are those that are scraped; ready are gateways whose "
        "models are, and classifier pods that a gateway uses.",
    )


def _demand() -> Panel:
    return Panel(
        "Demand",
        "cps",
        {"demand": demand(), "classified": rate("chestxray_predictions_total")},
        "Images per second for the classifiers, with those refused at the capacity limit. It "
        "scales the classifier tier.",
    )


_BY_POD = [
    Panel(
        "Images by pod",
        "cps",
        {"{{pod}}": rate(_IMAGES, GATEWAYS, POD, by="pod")},
        "At the filter.",
    ),
    Panel(
        "Latency by pod, 95th percentile",
        "s",
        {"{{pod}}": quantile(0.95, _SECONDS, ANALYSES, ANSWERED, POD, by="pod")},
        "Single images and batches together: one pod that is slower than the others.",
    ),
    Panel(
        "Process restarts by pod",
        "short",
        {"{{pod}} {{process}}": increase(_RESTARTS, "1h", POD, by="pod, process")},
        "Per hour.",
    ),
]
_CONTAINERS = [
    Panel(
        "Throttled periods",
        "percentunit",
        {
            "{{pod}}": rate("container_cpu_cfs_throttled_periods_total", CONTAINERS, POD, by="pod")
            + " / "
            + rate("container_cpu_cfs_periods_total", CONTAINERS, POD, by="pod")
        },
        "Share of the scheduler's periods in which the CPU limit stopped the container.",
    ),
    Panel(
        "Out of memory",
        "short",
        {"{{pod}}": increase("container_oom_events_total", "1h", CONTAINERS, POD, by="pod")},
        "Processes that the kernel killed, per hour.",
    ),
    Panel(
        "Container restarts",
        "short",
        {
            "{{pod}}": increase(
                "kube_pod_container_status_restarts_total", "1h", CONTAINERS, POD, by="pod"
            )
        },
        "By the kubelet, per hour.",
    ),
]
_GPUS = [
    Panel(
        "GPU utilisation",
        "percent",
        {"{{Hostname}} {{gpu}}": gpu("DCGM_FI_DEV_GPU_UTIL")},
        "Share of the time in which a kernel ran.",
    ),
    Panel(
        "GPU memory",
        "mbytes",
        {"{{Hostname}} {{gpu}}": gpu("DCGM_FI_DEV_FB_USED")},
        "Frame buffer in use.",
    ),
    Panel(
        "GPU power", "watt", {"{{Hostname}} {{gpu}}": gpu("DCGM_FI_DEV_POWER_USAGE")}, "Drawn now."
    ),
]
_PUBLIC = [
    Panel(
        "Answers",
        "short",
        {"{{instance}}": gauge("probe_success", BLACKBOX_JOB)},
        "1 if the last probe got a 2xx response.",
        "stat",
        at_least(1, lowest=1),
    ),
    Panel(
        "Certificate",
        "d",
        {
            "{{instance}}": f"({gauge('probe_ssl_earliest_cert_expiry', BLACKBOX_JOB)} - time())"
            " / 86400"
        },
        "Days until it expires.",
        "stat",
        at_least(EXPIRY_DAYS["warning"], EXPIRY_DAYS["critical"]),
    ),
    Panel(
        "Duration of a probe",
        "s",
        {"{{instance}}": gauge("probe_duration_seconds", BLACKBOX_JOB)},
        "From the blackbox exporter to the answer, name resolution and TLS included.",
    ),
]
