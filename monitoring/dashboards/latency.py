"""Dashboard: request latency, in total and by stage."""

from bentos.gateway.analyses import PATHS
from monitoring.grafana import Dashboard, Panel
from monitoring.objectives import ANALYSES, ANSWERED
from monitoring.queries import WINDOW, increase, mean, quantile

_REQUEST = "chestxray_request_duration_seconds"
_STAGE = "chestxray_stage_duration_seconds"
_QUEUE = "chestxray_batch_queue_seconds"


def latency() -> Dashboard:
    """Builds the dashboard."""
    return Dashboard("latency", "latency by stage", {"Requests": _TOTAL, "Stages": _STAGES})


_TOTAL = [
    *(
        Panel(
            f"Latency of {route}",
            "s",
            {
                f"{share:.0%}": quantile(share, _REQUEST, f'route="{route}"', ANSWERED)
                for share in (0.5, 0.95, 0.99)
            },
            "From the first byte in to the last byte out; accepted and rejected images only.",
        )
        for route in PATHS
    ),
    Panel(
        "Latency distribution",
        "s",
        {"{{le}}": increase(f"{_REQUEST}_bucket", WINDOW, ANALYSES, ANSWERED, by="le")},
        "Shows bimodal latency, which percentiles hide.",
        "heatmap",
    ),
]
_STAGES = [
    Panel(
        "Mean latency by stage",
        "s",
        {"{{stage}}": mean(_STAGE, by="stage")},
        "queue: wait for a decoder; filter and classify include the wait for a batch.",
        "stack",
    ),
    Panel(
        "95th percentile latency by stage",
        "s",
        {"{{stage}}": quantile(0.95, _STAGE, by="stage")},
        "Percentiles of stages do not add up to the percentile of the request.",
    ),
    Panel(
        "Batch queueing time, 95th percentile",
        "s",
        {"{{model}}": quantile(0.95, _QUEUE, by="model")},
        "The next batch fills while one is in flight.",
    ),
]
