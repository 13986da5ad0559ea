"""The averaged checkpoint has the mean of the weights, and its card lists the averaged ones."""

from pathlib import Path

import pytest
import torch

from chestxray import checkpoints
from chestxray.networks import CovidClassifierNet
from training import weight_averaging


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    paths = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        network, path = CovidClassifierNet(), tmp_path / f"{seed}.safetensors"
        network.features.norm0.num_batches_tracked += seed
        checkpoints.save(path, network, checkpoints.card_of(network, name="x", version=str(seed)))
        paths.append(path)
    return paths


def test_every_averaged_weight_is_the_mean(paths: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "average" / "best.safetensors"

    weight_averaging.average_checkpoints(paths, target)

    loaded = [checkpoints.load(p, CovidClassifierNet()) for p in (*paths, target)]
    one, other, found = (network.state_dict() for network in loaded)
    assert torch.allclose(found["cam.weight"], (one["cam.weight"] + other["cam.weight"]) / 2)
    assert found["features.norm0.num_batches_tracked"] == 2
    assert all(found[name].dtype == one[name].dtype for name in one)


def test_card_of_averaged_weights_lists_their_digests(paths: list[Path], tmp_path: Path) -> None:
    weight_averaging.average_checkpoints(paths, tmp_path / "best.safetensors")

    card = checkpoints.read_card(tmp_path / "best.safetensors")

    assert card.version == "2"
    assert card.training["mean_of"] == [checkpoints.digest(path) for path in paths]
