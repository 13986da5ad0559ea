"""The projection agrees with the reference implementation of PCA."""

import numpy as np
from sklearn.decomposition import PCA

from chestxray.projection import fit


def test_projection_matches_scikit_learn(generator: np.random.Generator) -> None:
    embeddings = generator.normal(size=(200, 32)) * np.linspace(5, 1, 32)
    embeddings = embeddings.astype(np.float32)

    fitted = fit(embeddings, axes=3)

    reference = PCA(3).fit(embeddings)
    points = (embeddings - fitted.mean) @ fitted.axes.T
    expected = reference.transform(embeddings)
    assert np.allclose(np.abs(points), np.abs(expected), atol=1e-3)


def test_projection_axes_have_a_fixed_sign(generator: np.random.Generator) -> None:
    embeddings = generator.normal(size=(50, 8)).astype(np.float32)

    axes, mirrored = fit(embeddings, axes=3).axes, fit(-embeddings, axes=3).axes

    assert np.allclose(axes, mirrored, atol=1e-4)
