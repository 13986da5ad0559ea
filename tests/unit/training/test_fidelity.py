"""Fidelity criteria detect outputs that changed too much."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from chestxray.engines import Outputs
from training import fidelity


@pytest.fixture
def labels(generator: np.random.Generator) -> np.ndarray:
    return generator.integers(0, 3, 200)


@pytest.fixture
def before(generator: np.random.Generator, labels: np.ndarray) -> Outputs:
    logits = generator.normal(0, 1, (200, 3)) + 2 * np.eye(3)[labels]
    cam = generator.normal(0, 1, (200, 3, 4, 4))
    return {"logits": logits.astype(np.float32), "cam": cam.astype(np.float32)}


def test_identical_outputs_fail_no_criterion(before: Outputs, labels: np.ndarray) -> None:
    found = fidelity.compare(before, before, labels, 1.0)

    assert list(found.failed_criteria) == []
    assert found.n == 200
    assert found.most_moved == 0
    assert found.map_correlation.value == pytest.approx(1)
    assert [each.value for each in found.auc_fall] == [0, 0, 0]
    assert found.same_class == 1


def test_every_failed_criterion_is_described(
    before: Outputs, labels: np.ndarray, generator: np.random.Generator
) -> None:
    noise = {name: generator.normal(0, 2, v.shape) for name, v in before.items()}
    after = {name: (v + noise[name]).astype(np.float32) for name, v in before.items()}

    auc, moved, maps = fidelity.compare(before, after, labels, 1.0).failed_criteria

    assert "AUC falls by" in auc
    assert "a probability moves by" in moved
    assert "the maps' correlation is" in maps


def test_most_moved_is_the_largest_change_of_a_class(before: Outputs, labels: np.ndarray) -> None:
    shifted = before | {"logits": before["logits"] + np.array([0.5, 0, 0], np.float32)}

    found = fidelity.compare(before, shifted, labels, 1.0)

    assert found.most_moved == found.moved[0].value > fidelity.MAX_MOVED
    assert found.moved[0].low <= found.moved[0].value <= found.moved[0].high


def test_map_correlation_is_spearman_correlation(generator: np.random.Generator) -> None:
    maps = generator.normal(0, 1, (2, 4, 3, 5, 5)).astype(np.float32)

    found = fidelity.map_correlation(*maps)

    expected = [
        np.mean([spearmanr(maps[0, i, c].ravel(), maps[1, i, c].ravel())[0] for c in range(3)])
        for i in range(4)
    ]
    assert found == pytest.approx(expected)
