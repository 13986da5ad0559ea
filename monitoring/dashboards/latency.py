"""Where the time of a request goes."""

from bentos.gateway.analyses import PATHS
from monitoring.grafana import Dashboard, Panel
from monitoring.objectives import ANALYSES, ANSWERED
from monitoring.queries import WINDOW, increase, mean, quantile

_REQUEST = "chestxray_request_duration_seconds"
_STAGE = "chestxray_stage_duration_seconds"
_QUEUE = "chestxray_batch_queue_seconds"


def latency() -> Dashboard:
    """The whole first, then its parts."""
    return Dashboard("latency", "latency by stage", {"Whole requests": _WHOLE, "Stages": _STAGES})


_WHOLE = [
    *(
        Panel(
            f"Answers of {route}",
            "s",
            {
                f"{share:.0%}": quantile(share, _REQUEST, f'route="{route}"', ANSWERED)
                for share in (0.5, 0.95, 0.99)
            },
            "From the first byte in to the last byte out, of what was answered.",
        )
        for route in PATHS
    ),
    Panel(
        "Answers by their time",
        "s",
        {"{{le}}": increase(f"{_REQUEST}_bucket", WINDOW, ANALYSES, ANSWERED, by="le")},
        "Two humps are two kinds of requests, which no percentile shows.",
        "heatmap",
    ),
]
_STAGES = [
    Panel(
        "Mean by stage",
        "s",
        {"{{stage}}": mean(_STAGE, by="stage")},
        "Queue is the wait for a thread; filter and classify hold the wait for a batch.",
        "stack",
    ),
    Panel(
        "95th percentile by stage",
        "s",
        {"{{stage}}": quantile(0.95, _STAGE, by="stage")},
        "Percentiles of stages do not add up to that of the whole.",
    ),
    Panel(
        "Wait for a batch, 95th percentile",
        "s",
        {"{{model}}": quantile(0.95, _QUEUE, by="model")},
        "While one batch is under way the next one gathers.",
    ),
]
