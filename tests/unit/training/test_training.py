"""End-to-end training on a few phantoms."""

import sys
from pathlib import Path

import pytest
import torch

from chestxray import checkpoints
from chestxray.checkpoints import Card
from chestxray.networks import CovidClassifierNet, XRayFilterNet
from tests.collection import write_small_config
from training import evaluate, run, train_classifier, train_filter


def flags(monkeypatch: pytest.MonkeyPatch, *more: object) -> None:
    monkeypatch.setattr(sys, "argv", ["program", *map(str, more)])


def ship(monkeypatch: pytest.MonkeyPatch, best: Path, data: Path, folder: Path) -> Card:
    """Measures a checkpoint, writes it to the folder, and returns its card."""
    flags(monkeypatch, best, "--data", data, "--output", folder, "--ship", folder)
    evaluate.main()
    return checkpoints.read_card(folder / evaluate.WEIGHTS)


def test_filter_can_be_trained_evaluated_and_shipped(
    phantoms: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    common = ("--data", phantoms, "--output", tmp_path)
    config = write_small_config(train_filter.CONFIG, tmp_path / "filter.toml")
    flags(monkeypatch, "--config", config, *common)
    train_filter.main(run.open_run(None, train_filter.CONFIG))

    card = ship(monkeypatch, tmp_path / "filter" / run.BEST, phantoms, tmp_path)

    checkpoints.load(tmp_path / evaluate.WEIGHTS, XRayFilterNet())
    assert 0 < card.thresholds["frontal_chest"] < 1
    films, others, composites = 6, 6, 3 * 2
    assert card.metrics["test"]["accuracy"]["n"] == 5 * films + others + composites
    assert card.metrics["really_rotated"]["rejected_of_turned"]["n"] == 8
    assert card.training["config"]["name"] == "filter"
    assert "accepted_of_upright" in capsys.readouterr().out
    assert (tmp_path / evaluate.MODEL_CARD).read_text().startswith("# xray_filter")


def test_classifier_can_be_trained_in_stages_evaluated_and_shipped(
    phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, common = train_classifier.CONFIG.parent, ("--data", phantoms, "--output", tmp_path)
    init = "random"
    for name in ("classifier_stage1", "classifier_stage2", "classifier_longer"):
        config = write_small_config(folder / f"{name}.toml", tmp_path / f"{name}.toml", init=init)
        flags(monkeypatch, "--config", config, *common)
        train_classifier.main(run.open_run(None, train_classifier.CONFIG))
        init = f"file:{tmp_path / name / run.BEST}"

    card = ship(monkeypatch, tmp_path / "classifier_longer" / run.BEST, phantoms, tmp_path)

    network = checkpoints.load(tmp_path / evaluate.WEIGHTS, CovidClassifierNet())
    assert {"test_without_siim", "test_siim", "external"} <= set(card.metrics)
    assert card.metrics["external"]["n"] == 6
    assert card.temperature > 0
    assert 0 < card.thresholds["indeterminate"] <= 1
    assert card.reference is not None
    assert len(card.reference.points) == len(card.reference.labels) == 6
    assert network.projection_axes.norm(dim=1).tolist() == pytest.approx([1, 1, 1], abs=1e-4)


def test_same_seed_gives_the_same_initial_weights(
    phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_small_config(train_filter.CONFIG, tmp_path / "filter.toml")
    weights = []
    for seed in (1, 1, 2):
        arguments = ("--config", config, "--data", phantoms, "--output", tmp_path)
        flags(monkeypatch, *arguments, "--seed", seed)
        opened = run.open_run(None, train_filter.CONFIG)
        trainer = run.open_trainer(opened, lambda config: train_filter.build_filter(config.init))
        weights.append(trainer.network.backbone.classifier[1].weight)

    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_stage_one_labels_covid_as_opacity() -> None:
    assert train_classifier.merge_opacity(torch.tensor([0, 1, 2])).tolist() == [0, 1, 1]
