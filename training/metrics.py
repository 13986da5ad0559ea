"""Evaluation metrics: arrays in, dataclasses out."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata
from sklearn.metrics import confusion_matrix

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

CONFIDENCE_Z = 1.959963984540054
"""Standard normal quantile of the 95% intervals."""
RESAMPLES = 1000
"""Bootstrap resamples; the interval is percentiles 2.5 to 97.5."""


@dataclass(frozen=True)
class Rate:
    """A metric over n items with its 95% interval."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Performance:
    """Comparison of predictions with labels, per class in label order."""

    n: int
    confusion: list[list[int]]  # rows actual, columns predicted
    sensitivity: list[Rate]  # Wilson
    specificity: list[Rate]  # Wilson
    auc: list[Rate]  # one-vs-rest; bootstrap
    balanced_accuracy: Rate  # bootstrap


def wilson(successes: int, n: int) -> Rate:
    """A proportion with its Wilson (1927) interval."""
    if n == 0:
        return Rate(math.nan, 0.0, 1.0, 0)
    share, z2 = successes / n, CONFIDENCE_Z**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = CONFIDENCE_Z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return Rate(share, max(0.0, centre - half), min(1.0, centre + half), n)


def performance(
    probabilities: Floats, labels: Ints, *, generator: np.random.Generator
) -> Performance:
    """Compares probabilities (N, C) with labels (N,); metrics of absent classes are NaN."""
    classes = range(probabilities.shape[1])
    predicted = probabilities.argmax(axis=1)
    draws = generator.integers(0, len(labels), (RESAMPLES, len(labels)))
    resampled = np.array([balanced_accuracy(predicted[rows], labels[rows]) for rows in draws])
    return Performance(
        n=len(labels),
        confusion=confusion_matrix(labels, predicted, labels=list(classes)).tolist(),
        sensitivity=[_share(predicted[labels == c] == c) for c in classes],
        specificity=[_share(predicted[labels != c] != c) for c in classes],
        auc=[_auc_rate(probabilities[:, c], labels == c, draws) for c in classes],
        balanced_accuracy=interval(balanced_accuracy(predicted, labels), resampled, len(labels)),
    )


def balanced_accuracy(predicted: Ints, labels: Ints) -> float:
    """Mean sensitivity over the classes that occur."""
    return float(np.mean([np.mean(predicted[labels == c] == c) for c in np.unique(labels)]))


def bootstrap_mean(values: Floats, *, generator: np.random.Generator) -> Rate:
    """The mean of values (N,) with its bootstrap interval."""
    draws = generator.integers(0, len(values), (RESAMPLES, len(values)))
    return interval(float(values.mean()), values[draws].mean(axis=1), len(values))


def auc_with_interval(
    scores: Floats, positive: npt.NDArray[np.bool_], *, generator: np.random.Generator
) -> Rate:
    """The area under the ROC curve of scores (N,) with its bootstrap interval."""
    draws = generator.integers(0, len(scores), (RESAMPLES, len(scores)))
    return _auc_rate(scores, positive, draws)


def auc(scores: Floats, positive: npt.NDArray[np.bool_]) -> Floats:
    """Areas (...,) under the ROC curves of scores (..., N), by ranks (Mann and Whitney 1947)."""
    positives = positive.sum(axis=-1)
    pairs = positives * (positive.shape[-1] - positives)
    above = (rankdata(scores, axis=-1) * positive).sum(axis=-1) - positives * (positives + 1) / 2
    return np.asarray(np.divide(above, pairs, where=pairs > 0, out=np.full(pairs.shape, np.nan)))


def _share(hits: npt.NDArray[np.bool_]) -> Rate:
    return wilson(int(hits.sum()), hits.size)


def _auc_rate(scores: Floats, positive: npt.NDArray[np.bool_], draws: Ints) -> Rate:
    return interval(float(auc(scores, positive)), auc(scores[draws], positive[draws]), len(scores))


def interval(value: float, resampled: Floats, n: int) -> Rate:
    """A metric with percentiles 2.5 and 97.5 of its resamples."""
    found = resampled[~np.isnan(resampled)]
    low, high = np.percentile(found, (2.5, 97.5)) if found.size else (math.nan, math.nan)
    return Rate(value, float(low), float(high), n)
