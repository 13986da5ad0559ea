"""Calibration of probabilities, and decision thresholds."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize, minimize_scalar
from torch import Tensor

from training.metrics import Floats, Ints, Rate, wilson

BINS = 15
"""Number of equal-width bins for reliability diagrams and expected calibration error."""
CONFIDENT_ACCURACY = 0.9
"""Accuracy that confident predictions must reach on validation; less confident ones are
indeterminate."""
_FOLDS = 5
PREVALENCES = (0.01, 0.05, 0.20)
"""Prevalences for which the card reports predictive values."""
SENSITIVITIES = (0.90, 0.95)
"""Sensitivities for which operating thresholds are offered."""


@dataclass(frozen=True)
class Bin:
    """One bin of a reliability diagram."""

    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class OperatingPoint:
    """A class's threshold for a sensitivity, chosen on validation, and its performance on a test
    set.
    """

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


def fit_biases(logits: Tensor, targets: Tensor, weights: Floats) -> tuple[float, ...]:
    """Returns biases (C,), of mean 0, that minimise the weighted cross-entropy of (logits + biases)
    / T, with T fitted jointly: vector scaling without scales (Guo et al. 2017, 1706.04599, section
    4.2). They shift uncertain predictions between classes.
    """
    shares = torch.from_numpy(weights / weights.sum())

    def loss(free: Floats) -> float:
        biases = torch.from_numpy(np.append(0.0, free[1:]))
        scores = (logits + biases) / np.exp(free[0])
        each = torch.nn.functional.cross_entropy(scores, targets, reduction="none")
        return float((each * shares).sum())

    best = minimize(loss, np.zeros(logits.shape[1]), method="Nelder-Mead")
    biases = np.append(0.0, best.x[1:])
    return tuple((biases - biases.mean()).round(4).tolist())


def held_out_loss(logits: Tensor, targets: Tensor, weights: Floats, *, biased: bool) -> float:
    """Weighted cross-entropy by 5-fold cross-validation of temperature and biases."""
    folds = np.random.default_rng(0).permutation(len(targets)) % _FOLDS
    total = 0.0
    for fold in range(_FOLDS):
        held, fitted = torch.from_numpy(folds == fold), torch.from_numpy(folds != fold)
        kept = logits[fitted], targets[fitted]
        biases = torch.zeros(logits.shape[1])
        if biased:
            biases = torch.tensor(fit_biases(*kept, weights[folds != fold]))
        temperature = fit_temperature(kept[0] + biases, kept[1])
        each = torch.nn.functional.cross_entropy(
            (logits[held] + biases) / temperature, targets[held], reduction="none"
        )
        total += float((each.numpy() * weights[folds == fold]).sum())
    return total / float(weights.sum())


def reliability(probabilities: Floats, labels: Ints) -> list[Bin]:
    """Bins the predictions by confidence; omits empty bins."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    index = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        Bin(int(inside.sum()), float(confidence[inside].mean()), float(right[inside].mean()))
        for inside in (index == i for i in range(BINS))
        if inside.any()
    ]


def expected_calibration_error(bins: list[Bin]) -> float:
    """Expected calibration error (Guo et al. 2017, equation 3)."""
    total = sum(b.n for b in bins)
    return sum(b.n * abs(b.accuracy - b.confidence) for b in bins) / total


def indeterminate_below(probabilities: Floats, labels: Ints) -> float:
    """The smallest confidence above which CONFIDENT_ACCURACY of the predictions are right."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    order = np.argsort(-confidence)
    shares = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(shares >= CONFIDENT_ACCURACY)
    return round(float(confidence[order][enough[-1]]) if enough.size else 1.0, 4)


def threshold_for(scores: Floats, positive: np.ndarray, sensitivity: float) -> float:
    """The highest threshold with this sensitivity."""
    ranked = np.sort(scores[positive])[::-1]
    return round(float(ranked[int(np.ceil(sensitivity * len(ranked))) - 1]), 4)


def evaluate_threshold(
    label: str, wanted: float, threshold: float, scores: Floats, positive: np.ndarray
) -> OperatingPoint:
    """Evaluates a threshold on scores (N,) that were not used to choose it."""
    above = scores >= threshold
    return OperatingPoint(
        label,
        wanted,
        threshold,
        sensitivity=wilson(int(above[positive].sum()), int(positive.sum())),
        specificity=wilson(int((~above)[~positive].sum()), int((~positive).sum())),
    )


def predictive_values(found: OperatingPoint) -> dict[str, dict[str, float]]:
    """Positive and negative predictive value, by prevalence (Bayes).

    Assumes the sensitivity and specificity of the test set at every prevalence.
    """
    yes, no = found.sensitivity.value, found.specificity.value
    return {
        f"{share:g}": {
            "positive": _share(yes * share, (1 - no) * (1 - share)),
            "negative": _share(no * (1 - share), (1 - yes) * share),
        }
        for share in PREVALENCES
    }


def _share(right: float, wrong: float) -> float:
    """Accuracy; NaN without predictions."""
    return right / (right + wrong) if right + wrong else float("nan")
