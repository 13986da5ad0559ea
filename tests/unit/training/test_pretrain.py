"""Barlow Twins, and a start for the classifier that comes out of it."""

from pathlib import Path

import pytest
import torch

from chestxray import checkpoints
from chestxray.networks import CovidClassifierNet
from tests.collection import tiny
from training import pretrain, run
from training.start import start_classifier


def test_same_features_without_redundancy_cost_nothing() -> None:
    features = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])

    assert pretrain.barlow_twins(features, features).item() < 0.2
    assert pretrain.barlow_twins(features, -features).item() > 4


def test_redundant_features_cost() -> None:
    column = torch.tensor([[1.0], [2], [3], [5]])
    twice, once = column.expand(4, 2), torch.cat([column, column.flip(0) ** 2], dim=1)

    assert pretrain.barlow_twins(twice, twice) > pretrain.barlow_twins(once, once)


def test_pretraining_leaves_a_start_for_the_classifier(
    phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny(pretrain.CONFIG, tmp_path / "pretrain.toml")
    arguments = ["p", "--config", config, "--data", phantoms, "--output", tmp_path]
    monkeypatch.setattr("sys.argv", [str(a) for a in arguments])

    pretrain.main(run.open_run(None, pretrain.CONFIG))

    best = tmp_path / "pretrained" / run.BEST
    kept = checkpoints.load(best, CovidClassifierNet()).state_dict()
    started = start_classifier(f"file:{best}").state_dict()
    assert all(torch.equal(kept[name], started[name]) for name in kept)


def test_both_halves_of_a_pair_are_the_same_pictures_varied_otherwise(
    phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny(pretrain.CONFIG, tmp_path / "pretrain.toml")
    arguments = ["p", "--config", config, "--data", phantoms, "--output", tmp_path]
    monkeypatch.setattr("sys.argv", [str(a) for a in arguments])
    opened = run.open_run(None, pretrain.CONFIG)
    chosen = pretrain.examples(opened.records, "train", power=0.5)

    (batch,) = pretrain.pairs(opened, chosen, epoch=0)

    one, other = batch.images.chunk(2)
    assert torch.equal(*batch.targets.chunk(2))
    assert not torch.equal(one, other)
