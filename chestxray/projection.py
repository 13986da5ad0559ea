"""A 3-D view of embeddings: principal component analysis (Pearson 1901), by SVD."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

PROJECTION_AXES = 3


@dataclass(frozen=True)
class Projection:
    """The affine map (embedding - mean) @ axes.T, from D to K dimensions."""

    mean: npt.NDArray[np.float32]  # (D,)
    axes: npt.NDArray[np.float32]  # (K, D)
    variance: npt.NDArray[np.float64]  # (K,): explained by each axis, as a share of the total


def fit(embeddings: npt.NDArray[np.float32], *, axes: int) -> Projection:
    """Fits the axes of greatest variance to embeddings (N, D)."""
    mean = embeddings.mean(axis=0)
    _, spread, rows = np.linalg.svd(embeddings - mean, full_matrices=False)
    # The sign of an axis is arbitrary; making its largest weight positive keeps refits consistent.
    largest = np.abs(rows[:axes]).argmax(axis=1)
    signs = np.sign(rows[np.arange(axes), largest])
    variance = spread.astype(np.float64) ** 2
    return Projection(
        np.asarray(mean, np.float32), rows[:axes] * signs[:, None], variance[:axes] / variance.sum()
    )
