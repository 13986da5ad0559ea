"""A 3-D view of embeddings: principal component analysis (Pearson 1901), by SVD."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

PROJECTION_AXES = 3


@dataclass(frozen=True)
class Projection:
    """An affine map from embeddings (N, D) to points (N, K)."""

    mean: npt.NDArray[np.float32]  # (D,)
    axes: npt.NDArray[np.float32]  # (K, D)
    variance_share: tuple[float, ...]  # of each axis, in [0, 1]

    def __call__(self, embeddings: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        offsets = embeddings - self.mean
        return np.asarray(offsets @ self.axes.T, np.float32)


def fit(embeddings: npt.NDArray[np.float32], *, axes: int) -> Projection:
    """Fits the axes of greatest variance to embeddings (N, D)."""
    mean = embeddings.mean(axis=0)
    _, singular, rows = np.linalg.svd(embeddings - mean, full_matrices=False)
    share = singular**2 / np.sum(singular**2)
    # The sign of an axis is arbitrary: its largest weight is made positive, so refits agree.
    largest = np.abs(rows[:axes]).argmax(axis=1)
    signs = np.sign(rows[np.arange(axes), largest])
    return Projection(
        np.asarray(mean, np.float32), rows[:axes] * signs[:, None], tuple(map(float, share[:axes]))
    )
