"""Figures of merit: arrays in, a dataclass out."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import confusion_matrix, roc_auc_score

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

CONFIDENCE_Z = 1.959963984540054
"""Of the 95% intervals."""


@dataclass(frozen=True)
class Rate:
    """A share of n with its 95% interval."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Performance:
    """How predictions compare with the truth, per class in label order."""

    n: int
    confusion: list[list[int]]  # rows actual, columns predicted
    sensitivity: list[float]
    specificity: list[float]
    auc: list[float]  # one against the rest
    balanced_accuracy: Rate


def wilson(successes: int, n: int) -> Rate:
    """A binomial share with its interval by Wilson (1927)."""
    if n == 0:
        return Rate(math.nan, 0.0, 1.0, 0)
    share, z2 = successes / n, CONFIDENCE_Z**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = CONFIDENCE_Z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return Rate(share, max(0.0, centre - half), min(1.0, centre + half), n)


def performance(
    probabilities: Floats, labels: Ints, *, generator: np.random.Generator, resamples: int = 1000
) -> Performance:
    """Compares probabilities (N, C) with labels (N,); classes that do not occur count as NaN."""
    classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    matrix = confusion_matrix(labels, predicted, labels=range(classes))
    draws = generator.integers(0, len(labels), (resamples, len(labels)))
    resampled = [balanced_accuracy(predicted[rows], labels[rows]) for rows in draws]
    low, high = np.percentile(resampled, (2.5, 97.5))
    accuracy = Rate(balanced_accuracy(predicted, labels), float(low), float(high), len(labels))
    return Performance(
        n=len(labels),
        confusion=matrix.tolist(),
        sensitivity=[_share(predicted[labels == c] == c) for c in range(classes)],
        specificity=[_share(predicted[labels != c] != c) for c in range(classes)],
        auc=[_auc(probabilities[:, c], labels == c) for c in range(classes)],
        balanced_accuracy=accuracy,
    )


def balanced_accuracy(predicted: Ints, labels: Ints) -> float:
    """Mean sensitivity over the classes that occur."""
    return float(np.mean([np.mean(predicted[labels == c] == c) for c in np.unique(labels)]))


def _share(hits: npt.NDArray[np.bool_]) -> float:
    return float(hits.mean()) if hits.size else math.nan


def _auc(scores: Floats, positive: npt.NDArray[np.bool_]) -> float:
    return (
        float(roc_auc_score(positive, scores)) if 0 < positive.sum() < positive.size else math.nan
    )
