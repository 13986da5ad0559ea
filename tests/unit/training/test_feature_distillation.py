"""Feature distillation: which images have features, and what their distance adds to the loss."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from chestxray.networks import CovidClassifierNet
from tests.unit.training.test_engine import toy_config
from training import feature_distillation, train_classifier
from training.datasets.curated import load
from training.examples import Batch


@pytest.fixture
def features() -> feature_distillation.Features:
    return (
        np.random.default_rng(0)
        .normal(2, 3, (99, feature_distillation.FEATURES))
        .astype(np.float32)
    )


def test_features_are_extracted_only_from_training_images_of_the_classes(
    phantoms: Path,
    tmp_path: Path,
    features: feature_distillation.Features,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    records = load(phantoms)
    pixels = np.zeros((len(records), 4, 4), np.uint8)
    seen: list[int] = []

    def extract_features(pixels: np.ndarray, rows: list[int]) -> feature_distillation.Features:
        seen.extend(rows)
        return features[: len(rows)]

    monkeypatch.setattr(feature_distillation, "extract_features", extract_features)
    found = feature_distillation.open_features(records, pixels, tmp_path)

    assert {records[row].split for row in seen} == {"train"}
    assert {records[row].label for row in seen} == {"no_finding", "lung_opacity", "covid19"}
    assert np.allclose(found[seen].mean(axis=0), 0, atol=1e-4)
    unseen = np.delete(found, seen, axis=0)
    assert len(unseen) and not unseen.any()
    calls = len(seen)
    assert np.array_equal(feature_distillation.open_features(records, pixels, tmp_path), found)
    assert len(seen) == calls


def test_cosine_distance_depends_only_on_direction(features: feature_distillation.Features) -> None:
    known = torch.from_numpy(features[:5])

    assert torch.allclose(
        feature_distillation.cosine_distance(3 * known, known), torch.zeros(5), atol=1e-5
    )
    assert torch.allclose(
        feature_distillation.cosine_distance(-known, known), torch.full((5,), 2.0)
    )


def test_loss_includes_the_distance_from_the_known_features(
    features: feature_distillation.Features,
) -> None:
    torch.manual_seed(0)
    network = feature_distillation.FeatureDistillationNet(CovidClassifierNet()).eval()
    images = torch.randint(0, 255, (2, 1, 64, 64), dtype=torch.uint8)
    batch = Batch(images, torch.tensor([0, 2]), torch.tensor([0, 1]), torch.tensor([7, 3]))
    known = torch.from_numpy(features)
    config = replace(toy_config(), guide=0.5)

    with torch.no_grad():
        plain = train_classifier.stage_loss(network, batch, config=config, weights=None)
        guided = train_classifier.stage_loss(
            network, batch, config=config, weights=None, features=known
        )
        distance = feature_distillation.cosine_distance(
            network(images).features, known[[7, 3]]
        ).mean()

    assert torch.isclose(guided.loss - plain.loss, 0.5 * distance, atol=1e-5)


def test_error_of_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_distillation, "_PACKAGE", "no_such_package")

    with pytest.raises(FileNotFoundError, match="make train-distilled"):
        feature_distillation._model_path()
