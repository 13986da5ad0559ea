"""A soup is the mean of its ingredients, and says which they were."""

from pathlib import Path

import pytest
import torch

from chestxray import checkpoints
from chestxray.networks import CovidClassifierNet
from training import soup


@pytest.fixture
def ingredients(tmp_path: Path) -> list[Path]:
    paths = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        network, path = CovidClassifierNet(), tmp_path / f"{seed}.safetensors"
        network.features.norm0.num_batches_tracked += seed
        checkpoints.save(path, network, checkpoints.card_of(network, name="x", version=str(seed)))
        paths.append(path)
    return paths


def test_every_weight_is_the_mean(ingredients: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "soup" / "best.safetensors"

    soup.cook(ingredients, target)

    loaded = [checkpoints.load(p, CovidClassifierNet()) for p in (*ingredients, target)]
    one, other, found = (network.state_dict() for network in loaded)
    assert torch.allclose(found["cam.weight"], (one["cam.weight"] + other["cam.weight"]) / 2)
    assert found["features.norm0.num_batches_tracked"] == 2
    assert all(found[name].dtype == one[name].dtype for name in one)


def test_a_soup_names_its_ingredients(ingredients: list[Path], tmp_path: Path) -> None:
    soup.cook(ingredients, tmp_path / "best.safetensors")

    card = checkpoints.read_card(tmp_path / "best.safetensors")

    assert card.version == "2"
    assert card.training["mean_of"] == [checkpoints.digest(path) for path in ingredients]
