"""Dashboard: deployed models, and drift of their inputs and outputs."""

from chestxray.labels import Finding
from monitoring.boards import Dashboard, Panel, Row
from monitoring.queries import WINDOW, gauge, increase, rate

_SCORE, _DISTRIBUTION = "chestxray_prediction_score", "chestxray:prediction_score:distribution"


def models() -> Dashboard:
    """Builds the dashboard."""
    return Dashboard(
        "models",
        "models and drift",
        [Row("Deployed models", _DEPLOYED), Row("Drift", _DRIFT), Row("Scores", _SCORES)],
    )


_DEPLOYED = [
    Panel(
        "Pods by model and digest",
        "short",
        {
            "{{model}} {{version}} {{digest}}": "count by (model, version, digest) "
            f"({gauge('chestxray_model_info')})"
        },
        "One series per model, except during a rollout.",
    ),
    Panel(
        "Pods in which a model is ready",
        "short",
        {"{{model}}": f"sum by (model) ({gauge('chestxray_model_ready')})"},
        "As of the last readiness probe.",
    ),
    Panel(
        "Model load time",
        "s",
        {"{{model}}": f"max by (model) ({gauge('chestxray_model_load_seconds')})"},
        "Loading and warm-up in the slowest pod.",
    ),
]
_DRIFT = [
    Panel(
        "Filter rejection rate",
        "percentunit",
        {window: gauge(f"chestxray:images_rejected:share{window}") for window in ("6h", "1w")},
        "Over the last six hours and the last week.",
    ),
    Panel(
        "Predictions by class",
        "cps",
        {"{{label}}": rate("chestxray_predictions_total", by="label")},
        "The most probable class of every classified image.",
        "stack",
    ),
    Panel(
        "Score drift against the week before",
        "percentunit",
        {
            "{{label}}": f"max by (label) (abs({gauge(f'{_DISTRIBUTION}6h')}"
            f" - {gauge(f'{_DISTRIBUTION}1w')} offset 6h))"
        },
        "Kolmogorov-Smirnov statistic by class, over six hours; at first there is no week before.",
    ),
]
_SCORES = [
    Panel(
        f"Scores of {label}",
        "percentunit",
        {"{{le}}": increase(f"{_SCORE}_bucket", WINDOW, f'label="{label}"', by="le")},
        "A confident model has two bands, at 0 and at 1.",
        "heatmap",
    )
    for label in Finding
]
