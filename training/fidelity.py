"""Whether a faster form of the classifier still answers as the float32 one: figures and limits."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from chestxray.engines import Outputs, softmax
from training.metrics import RESAMPLES, Floats, Ints, Rate, auc, bootstrap_mean, interval

Maps = npt.NDArray[np.float32]  # (N, C, H, W)

MAX_AUC_FALL = 0.005
"""Of any class."""
MAX_MOVED = 0.05
"""Of any class's probability, at the 99th percentile of the films."""
MIN_MAP_CORRELATION = 0.98
"""Spearman's, over the cells of a map; mean of all films and classes."""


@dataclass(frozen=True)
class Fidelity:
    """How far two sets of answers to the same films are apart; lists are by class."""

    n: int
    auc_before: list[float]
    auc_after: list[float]
    auc_fall: list[Rate]  # bootstrap, paired
    moved: list[Rate]  # bootstrap
    map_correlation: Rate  # bootstrap
    map_correlation_p5: float  # a twentieth of the films is below
    same_class: float  # share of the films

    @property
    def failed_criteria(self) -> Iterator[str]:
        """Each limit that is missed, as a sentence."""
        if (fall := max(each.value for each in self.auc_fall)) > MAX_AUC_FALL:
            yield f"a class's AUC falls by {fall:.4f}; {MAX_AUC_FALL} is allowed"
        if self.most_moved > MAX_MOVED:
            yield f"a probability moves by {self.most_moved:.4f}; {MAX_MOVED} is allowed"
        if not self.map_correlation.value >= MIN_MAP_CORRELATION:
            found = self.map_correlation.value
            yield f"the maps' correlation is {found:.4f}; {MIN_MAP_CORRELATION} is needed"

    @property
    def most_moved(self) -> float:
        """Of the class that moves most."""
        return max(each.value for each in self.moved)


def compare(before: Outputs, after: Outputs, labels: Ints, temperature: float) -> Fidelity:
    """Compares readings (N, ...) of films with these labels (N,)."""
    old, new = (
        softmax(each["logits"], temperature).astype(np.float64) for each in (before, after)
    )  # (N, C)
    draws = np.random.default_rng(0).integers(0, len(labels), (RESAMPLES, len(labels)))
    moved, correlation = np.abs(new - old), map_correlation(before["cam"], after["cam"])
    classes = range(old.shape[1])
    areas = [[float(auc(p[:, c], labels == c)) for c in classes] for p in (old, new)]
    return Fidelity(
        n=len(labels),
        auc_before=areas[0],
        auc_after=areas[1],
        auc_fall=[_fall(old[:, c], new[:, c], labels == c, draws) for c in classes],
        moved=[_percentile(moved[:, c], draws) for c in classes],
        map_correlation=bootstrap_mean(correlation, generator=np.random.default_rng(0)),
        map_correlation_p5=float(np.percentile(correlation, 5)),
        same_class=float((old.argmax(axis=1) == new.argmax(axis=1)).mean()),
    )


def map_correlation(before: Maps, after: Maps) -> Floats:
    """Spearman's correlation of maps, mean over the classes: (N,)."""
    ranks = [rankdata(maps.reshape(*maps.shape[:2], -1), axis=-1) for maps in (before, after)]
    x, y = (each - each.mean(axis=-1, keepdims=True) for each in ranks)
    spread = np.sqrt((x * x).sum(axis=-1) * (y * y).sum(axis=-1))
    return np.asarray(((x * y).sum(axis=-1) / spread).mean(axis=1))


def _fall(old: Floats, new: Floats, positive: np.ndarray, draws: Ints) -> Rate:
    value = auc(old, positive) - auc(new, positive)
    resampled = auc(old[draws], positive[draws]) - auc(new[draws], positive[draws])
    return interval(float(value), resampled, len(old))


def _percentile(values: Floats, draws: Ints) -> Rate:
    resampled = np.percentile(values[draws], 99, axis=1)
    return interval(float(np.percentile(values, 99)), resampled, len(values))
