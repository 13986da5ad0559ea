"""Barlow Twins, and the initial weights that the classifier gets from it."""

from pathlib import Path

import pytest
import torch

from chestxray import checkpoints
from chestxray.networks import CovidClassifierNet
from tests.collection import write_small_config
from training import pretrain, run
from training.initial_weights import build_classifier


def test_barlow_twins_loss_is_low_for_equal_decorrelated_features() -> None:
    features = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])

    assert pretrain.barlow_twins(features, features).item() < 0.2
    assert pretrain.barlow_twins(features, -features).item() > 4


def test_barlow_twins_loss_is_higher_for_redundant_features() -> None:
    column = torch.tensor([[1.0], [2], [3], [5]])
    twice, once = column.expand(4, 2), torch.cat([column, column.flip(0) ** 2], dim=1)

    assert pretrain.barlow_twins(twice, twice) > pretrain.barlow_twins(once, once)


def test_pretraining_writes_initial_weights_for_the_classifier(
    phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_small_config(pretrain.CONFIG, tmp_path / "pretrain.toml")
    arguments = ["p", "--config", config, "--data", phantoms, "--output", tmp_path]
    monkeypatch.setattr("sys.argv", [str(a) for a in arguments])

    pretrain.main(run.open_run(None, pretrain.CONFIG))

    best = tmp_path / "pretrained" / run.BEST
    kept = checkpoints.load(best, CovidClassifierNet()).state_dict()
    started = build_classifier(f"file:{best}").state_dict()
    assert all(torch.equal(kept[name], started[name]) for name in kept)


def test_pair_has_two_different_augmentations_of_the_same_images(
    phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_small_config(pretrain.CONFIG, tmp_path / "pretrain.toml")
    arguments = ["p", "--config", config, "--data", phantoms, "--output", tmp_path]
    monkeypatch.setattr("sys.argv", [str(a) for a in arguments])
    opened = run.open_run(None, pretrain.CONFIG)
    chosen = pretrain.examples(opened.records, "train", power=0.5)

    (batch,) = pretrain.pairs(opened, chosen, epoch=0)

    one, other = batch.images.chunk(2)
    assert torch.equal(*batch.targets.chunk(2))
    assert not torch.equal(one, other)
