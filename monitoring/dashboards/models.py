"""What is served, and whether images or answers shift."""

from chestxray.labels import Finding
from monitoring.grafana import Dashboard, Panel
from monitoring.queries import WINDOW, gauge, increase, rate

_SCORE, _DISTRIBUTION = "chestxray_prediction_score", "chestxray:prediction_score:distribution"


def models() -> Dashboard:
    """The weights, and the drift of what they see and say."""
    return Dashboard(
        "models",
        "models and drift",
        {"What is served": _SERVED, "Whether it shifts": _SHIFTS, "Scores": _SCORES},
    )


_SERVED = [
    Panel(
        "Pods by model and digest",
        "short",
        {
            "{{model}} {{version}} {{digest}}": "count by (model, version, digest) "
            f"({gauge('chestxray_model_info')})"
        },
        "One line for each model, except while a rollout is under way.",
    ),
    Panel(
        "Pods whose runner is ready",
        "short",
        {"{{model}}": f"sum by (model) ({gauge('chestxray_runner_ready')})"},
        "By their last probe.",
    ),
    Panel(
        "Time to load and warm up",
        "s",
        {"{{model}}": f"max by (model) ({gauge('chestxray_model_load_seconds')})"},
        "The slowest pod's.",
    ),
]
_SHIFTS = [
    Panel(
        "Share of images that the filter rejects",
        "percentunit",
        {window: gauge(f"chestxray:images_rejected:share{window}") for window in ("6h", "1w")},
        "The last six hours, and the last week.",
    ),
    Panel(
        "Images by class",
        "cps",
        {"{{label}}": rate("chestxray_predictions_total", by="label")},
        "The likeliest class of every image that was classified.",
        "stack",
    ),
    Panel(
        "Distance of the scores from the week before",
        "percentunit",
        {
            "{{label}}": f"max by (label) (abs({gauge(f'{_DISTRIBUTION}6h')}"
            f" - {gauge(f'{_DISTRIBUTION}1w')} offset 6h))"
        },
        "The statistic of Kolmogorov and Smirnov, by class, over six hours.",
    ),
]
_SCORES = [
    Panel(
        f"Scores of {label}",
        "percentunit",
        {"{{le}}": increase(f"{_SCORE}_bucket", WINDOW, f'label="{label}"', by="le")},
        "A model that is sure has two bands, at 0 and at 1.",
        "heatmap",
    )
    for label in Finding
]
