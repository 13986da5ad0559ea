"""How well images share the models."""

from monitoring.grafana import Dashboard, Panel
from monitoring.queries import WINDOW, increase, mean, quantile, rate

_SIZE, _FILL = "chestxray_batch_size", "chestxray_batch_fill_ratio"
_SECONDS = "chestxray_batch_duration_seconds"
_BUSY, _IMAGES = rate(f"{_SECONDS}_sum", by="model"), rate(f"{_SIZE}_sum", by="model")


def batches() -> Dashboard:
    """How large they are, and what that gains."""
    return Dashboard("batches", "batches", {"How large": _LARGE, "How fast": _FAST})


_LARGE = [
    Panel(
        "Images in a batch, mean",
        "short",
        {"{{model}}": mean(_SIZE, by="model")},
        "What a runner is sent at once.",
    ),
    Panel(
        "Fill of a batch, mean",
        "percentunit",
        {"{{model}}": mean(_FILL, by="model")},
        "Batches that stay full mean that nothing is left to give.",
    ),
    Panel(
        "Batches by size",
        "short",
        {"{{le}}": increase(f"{_SIZE}_bucket", WINDOW, by="le")},
        "Of both models.",
        "heatmap",
    ),
]
_FAST = [
    Panel(
        "Time of a batch, 95th percentile",
        "s",
        {"{{model}}": quantile(0.95, _SECONDS, by="model")},
        "In the runner alone.",
    ),
    Panel(
        "Time for an image",
        "s",
        {"{{model}}": f"{_BUSY} / {_IMAGES}"},
        "Its part of a batch's time; where it does not fall as batches grow, they gain nothing.",
    ),
    Panel(
        "Images dropped before they cost anything",
        "cps",
        {"{{stage}}": rate("chestxray_dropped_total", by="stage")},
        "Their caller had left, or their deadline had passed.",
    ),
]
