"""Dashboard: batch sizes and batch durations of both models."""

from monitoring.boards import Dashboard, Panel, Row
from monitoring.queries import POD, WINDOW, increase, mean, quantile, rate

_SIZE, _FILL = "chestxray_batch_size", "chestxray_batch_fill_ratio"
_SECONDS = "chestxray_batch_duration_seconds"
_BUSY, _IMAGES = (
    rate(f"{_SECONDS}_sum", POD, by="model"),
    rate(f"{_SIZE}_sum", POD, by="model"),
)


def batches() -> Dashboard:
    """Builds the dashboard."""
    rows = [Row("Batch size", _SIZES), Row("Batch duration", _DURATIONS)]
    return Dashboard("batches", "batches", rows, by_pod=True)


_SIZES = [
    Panel(
        "Mean batch size",
        "short",
        {"{{model}}": mean(_SIZE, POD, by="model")},
        "Images per batch.",
    ),
    Panel(
        "Mean batch fill ratio",
        "percentunit",
        {"{{model}}": mean(_FILL, POD, by="model")},
        "Batch size over the maximum; if it stays near 1 the model has no headroom.",
    ),
    Panel(
        "Batch size distribution",
        "short",
        {"{{le}}": increase(f"{_SIZE}_bucket", WINDOW, POD, by="le")},
        "Both models together.",
        "heatmap",
    ),
]
_DURATIONS = [
    Panel(
        "Batch duration, 95th percentile",
        "s",
        {"{{model}}": quantile(0.95, _SECONDS, POD, by="model")},
        "Inference alone, without queueing.",
    ),
    Panel(
        "Time per image",
        "s",
        {"{{model}}": f"{_BUSY} / {_IMAGES}"},
        "Batch duration over batch size; batching pays only while this falls as batches grow.",
    ),
    Panel(
        "Cancelled images by stage",
        "cps",
        {"{{stage}}": rate("chestxray_dropped_total", POD, by="stage")},
        "The client disconnected or the deadline passed before the stage began.",
    ),
]
