"""The guide: which images it looks at, what it adds to the loss, and that it does not ship."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from chestxray.networks import CovidClassifierNet
from tests.unit.training.test_training import toy_config
from training import guide, train_classifier
from training.datasets.curated import load
from training.examples import Batch


@pytest.fixture
def features() -> guide.Features:
    return np.random.default_rng(0).normal(2, 3, (99, guide.FEATURES)).astype(np.float32)


def test_only_training_images_of_the_classes_are_looked_at(
    phantoms: Path, tmp_path: Path, features: guide.Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = load(phantoms)
    pixels = np.zeros((len(records), 4, 4), np.uint8)
    seen: list[int] = []

    def extract(pixels: np.ndarray, rows: list[int]) -> guide.Features:
        seen.extend(rows)
        return features[: len(rows)]

    monkeypatch.setattr(guide, "extract", extract)
    found = guide.open_features(records, pixels, tmp_path)

    assert {records[row].split for row in seen} == {"train"}
    assert {records[row].label for row in seen} == {"no_finding", "lung_opacity", "covid19"}
    assert np.allclose(found[seen].mean(axis=0), 0, atol=1e-4)
    unseen = np.delete(found, seen, axis=0)
    assert len(unseen) and not unseen.any()
    calls = len(seen)
    assert np.array_equal(guide.open_features(records, pixels, tmp_path), found)
    assert len(seen) == calls


def test_distance_is_of_direction_alone(features: guide.Features) -> None:
    known = torch.from_numpy(features[:5])

    assert torch.allclose(guide.distance(3 * known, known), torch.zeros(5), atol=1e-5)
    assert torch.allclose(guide.distance(-known, known), torch.full((5,), 2.0))


def test_loss_grows_with_the_distance_from_the_guide(features: guide.Features) -> None:
    torch.manual_seed(0)
    network = guide.Guided(CovidClassifierNet()).eval()
    images = torch.randint(0, 255, (2, 1, 64, 64), dtype=torch.uint8)
    batch = Batch(images, torch.tensor([0, 2]), torch.tensor([0, 1]), torch.tensor([7, 3]))
    known = torch.from_numpy(features)
    config = replace(toy_config(), guide=0.5)

    with torch.no_grad():
        plain = train_classifier.stage_loss(network, batch, config=config, weights=None)
        guided = train_classifier.stage_loss(
            network, batch, config=config, weights=None, features=known
        )
        distance = guide.distance(network(images).guided, known[[7, 3]]).mean()

    assert torch.isclose(guided.loss - plain.loss, 0.5 * distance, atol=1e-5)


def test_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guide, "_PACKAGE", "no_such_package")

    with pytest.raises(FileNotFoundError, match="make train-guided"):
        guide._model_path()
