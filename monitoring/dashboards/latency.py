"""Dashboard: request latency, in total and by stage."""

from bentos.gateway.analyses import PATHS
from monitoring.boards import Dashboard, Panel, Row
from monitoring.objectives import ANALYSES, ANSWERED
from monitoring.queries import POD, WINDOW, increase, mean, quantile

_REQUEST = "chestxray_request_duration_seconds"
_STAGE = "chestxray_stage_duration_seconds"
_QUEUE = "chestxray_batch_queue_seconds"


def latency() -> Dashboard:
    """Builds the dashboard."""
    rows = [Row("Requests", _TOTAL), Row("Stages", _STAGES)]
    return Dashboard("latency", "latency by stage", rows, by_pod=True)


_TOTAL = [
    *(
        Panel(
            f"Latency of {route}",
            "s",
            {
                f"{share:.0%}": quantile(share, _REQUEST, f'route="{route}"', ANSWERED, POD)
                for share in (0.5, 0.95, 0.99)
            },
            "From the first byte in to the last byte out; accepted and rejected images only.",
        )
        for route in PATHS
    ),
    Panel(
        "Latency distribution",
        "s",
        {"{{le}}": increase(f"{_REQUEST}_bucket", WINDOW, ANALYSES, ANSWERED, POD, by="le")},
        "Shows bimodal latency, which percentiles hide.",
        "heatmap",
    ),
]
_STAGES = [
    Panel(
        "Mean latency by stage",
        "s",
        {"{{stage}}": mean(_STAGE, POD, by="stage")},
        "queue: wait for a decoder; filter and classify include the wait for a batch.",
        "stack",
    ),
    Panel(
        "95th percentile latency by stage",
        "s",
        {"{{stage}}": quantile(0.95, _STAGE, POD, by="stage")},
        "Percentiles of stages do not add up to the percentile of the request.",
    ),
    Panel(
        "Batch queueing time, 95th percentile",
        "s",
        {"{{model}}": quantile(0.95, _QUEUE, POD, by="model")},
        "The next batch fills while one is in flight.",
    ),
]
