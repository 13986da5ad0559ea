"""Evaluates the classifier's features on the four study classes of the SIIM challenge.

The head trained for them is not shipped. A logistic regression on the shipped features replaces it:
fitted on the training images of siim, its regularisation chosen on validation. The metric is the
challenge's, mean average precision over the study classes; its winners reached 0.59 with several
large networks at 512 pixels and more.
"""

from dataclasses import asdict
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from training.cam_audit import network_outputs
from training.evaluation_set import EvaluationSet
from training.examples import of_one_target
from training.metrics import RESAMPLES, Floats, Ints, Rate, interval
from training.supervision import APPEARANCES

WINNERS = 0.59
"""Mean average precision of the challenge's winners over its four study classes."""
_STRENGTHS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
"""Inverse regularisation strengths to choose from on validation."""


def evaluate(evaluation_set: EvaluationSet) -> dict[str, Any]:
    """Average precision of each study class and their mean, on siim's test images; plain values.

    Empty if the evaluation set has no training images of siim.
    """
    parts = {split: _features(evaluation_set, split) for split in ("train", "val", "test")}
    if not all(len(labels) for _, labels in parts.values()):
        return {}
    tried = [_fitted(strength, *parts["train"]) for strength in _STRENGTHS]
    precisions = [_mean_precision(each, *parts["val"]) for each in tried]
    chosen = tried[int(np.argmax(precisions))]
    features, labels = parts["test"]
    scores = chosen.predict_proba(features)
    return {
        "mean": asdict(_mean_rate(scores, labels)),
        "classes": {
            name: {"value": precision, "n": int((labels == c).sum())}
            for c, (name, precision) in enumerate(
                zip(APPEARANCES, _precisions(scores, labels), strict=True)
            )
        },
        "strength": _STRENGTHS[int(np.argmax(precisions))],
        "winners": WINNERS,
    }


def _features(evaluation_set: EvaluationSet, split: str) -> tuple[Floats, Ints]:
    """Features (N, 1024) and study classes (N,) of a split."""
    rows = [
        row
        for row, record in enumerate(evaluation_set.records)
        if record.split == split and record.appearance in APPEARANCES
    ]
    labels = np.array(
        [APPEARANCES.index(evaluation_set.records[row].appearance) for row in rows], int
    )
    if not rows:
        return np.empty((0, 0)), labels
    outputs = network_outputs(evaluation_set, of_one_target(rows, 0, np.ones(len(rows))))
    return outputs.embedding.numpy().astype(np.float64), labels


def _fitted(strength: float, features: Floats, labels: Ints) -> Any:
    regression = LogisticRegression(C=strength, max_iter=2000, class_weight="balanced")
    return make_pipeline(StandardScaler(), regression).fit(features, labels)


def _mean_precision(regression: Any, features: Floats, labels: Ints) -> float:
    return float(np.mean(_precisions(regression.predict_proba(features), labels)))


def _precisions(scores: Floats, labels: Ints) -> list[float]:
    """One-vs-rest average precision of each study class; NaN if it does not occur."""
    return [
        float(average_precision_score(labels == c, scores[:, c])) if (labels == c).any() else np.nan
        for c in range(len(APPEARANCES))
    ]


def _mean_rate(scores: Floats, labels: Ints) -> Rate:
    draws = np.random.default_rng(0).integers(0, len(labels), (RESAMPLES, len(labels)))
    resampled = np.array([np.mean(_precisions(scores[rows], labels[rows])) for rows in draws])
    return interval(float(np.mean(_precisions(scores, labels))), resampled, len(labels))
