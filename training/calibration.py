"""Whether probabilities mean what they say, and what is decided on them."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

from training.metrics import Floats, Ints, Rate, wilson

BINS = 15
"""Of equal width, for reliability diagrams and expected calibration error."""
RIGHT_WHEN_SURE = 0.9
"""Share of right answers that the certain ones reach on validation; below it is indeterminate."""
SENSITIVITIES = (0.90, 0.95)
"""For which operating thresholds are offered."""


@dataclass(frozen=True)
class Bin:
    """One bar of a reliability diagram."""

    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Operating:
    """A class's threshold for a sensitivity, chosen on validation, and what it does on a test."""

    label: str
    wanted: float
    threshold: float
    sensitivity: Rate
    specificity: Rate


def fit_temperature(logits: Tensor, targets: Tensor) -> float:
    """Returns T that minimises the cross-entropy of logits / T (Guo et al. 2017, 1706.04599)."""

    def loss(log_temperature: float) -> float:
        return float(torch.nn.functional.cross_entropy(logits / np.exp(log_temperature), targets))

    best = minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded")
    return round(float(np.exp(best.x)), 4)


def reliability(probabilities: Floats, labels: Ints) -> list[Bin]:
    """Bins the answers by their confidence; empty bins are left out."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    index = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        Bin(int(inside.sum()), float(confidence[inside].mean()), float(right[inside].mean()))
        for inside in (index == i for i in range(BINS))
        if inside.any()
    ]


def expected_calibration_error(bins: list[Bin]) -> float:
    """Mean distance of confidence and accuracy over the answers (Guo et al. 2017, equation 3)."""
    total = sum(b.n for b in bins)
    return sum(b.n * abs(b.accuracy - b.confidence) for b in bins) / total


def indeterminate_below(probabilities: Floats, labels: Ints) -> float:
    """The least confidence above which RIGHT_WHEN_SURE of the answers are right."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    order = np.argsort(-confidence)
    shares = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(shares >= RIGHT_WHEN_SURE)
    return round(float(confidence[order][enough[-1]]) if enough.size else 1.0, 4)


def threshold_for(scores: Floats, positive: np.ndarray, sensitivity: float) -> float:
    """The highest threshold at which this share of the positives scores at least as much."""
    ranked = np.sort(scores[positive])[::-1]
    return round(float(ranked[int(np.ceil(sensitivity * len(ranked))) - 1]), 4)


def operate(
    label: str, wanted: float, threshold: float, scores: Floats, positive: np.ndarray
) -> Operating:
    """Measures a threshold on scores (N,) that did not choose it."""
    above = scores >= threshold
    return Operating(
        label,
        wanted,
        threshold,
        sensitivity=wilson(int(above[positive].sum()), int(positive.sum())),
        specificity=wilson(int((~above)[~positive].sum()), int((~positive).sum())),
    )
