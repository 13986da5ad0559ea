"""Training on a GPU takes the CPU's steps, and is resumed there as it is anywhere."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from chestxray import checkpoints
from chestxray.networks import CovidClassifierNet
from tests.collection import tiny
from training import engine, run, train_classifier
from training.augment import augment_together
from training.config import read_config
from training.engine import Trainer
from training.examples import Batch, train_batches

LONGER = train_classifier.CONFIG.parent / "classifier_longer.toml"


def losses_on(device: str, phantoms: Path, folder: Path) -> list[float]:
    """The losses of four steps in full precision, with TF32 switched off."""
    config = read_config(tiny(LONGER, folder / "tiny.toml", steps_per_epoch=4, name=f"on_{device}"))
    opened = run.start_run(config, [str(phantoms)], folder, torch.device(device), resume=False)
    torch.manual_seed(0)
    trainer = Trainer(train_classifier.start_stage(config), config, opened.device)
    train = train_classifier.training_examples(opened)
    loss = train_classifier.loss_of(opened, train)
    found = []

    def watched(network: nn.Module, batch: Batch) -> engine.Step:
        step = loss(network, batch)
        found.append(step.loss.item())
        return step

    batches = train_batches(opened.pixels, train, config, epoch=0, device=opened.device)
    trainer.train_one_epoch(batches, watched)
    return found


def test_steps_on_a_gpu_are_those_of_the_cpu(
    phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)

    on_gpu, on_cpu = (losses_on(device, phantoms, tmp_path) for device in ("cuda", "cpu"))

    assert np.allclose(on_gpu, on_cpu, rtol=0.02)


def test_pictures_are_varied_alike_on_both_devices(generator: np.random.Generator) -> None:
    how = read_config(LONGER).augmentation
    images = torch.from_numpy(generator.integers(0, 256, (6, 1, 224, 224), np.uint8))
    regions = torch.from_numpy(generator.integers(0, 256, (6, 2, 56, 56), np.uint8))

    def varied(device: str) -> tuple[torch.Tensor, torch.Tensor]:
        numbers = torch.Generator().manual_seed(3)
        return augment_together(images.to(device), regions.to(device), how, numbers)

    for one, other in zip(varied("cuda"), varied("cpu"), strict=True):
        assert one.is_cuda
        # A grid's places differ in their last bit, which moves an edge of the noise a little.
        assert (one.cpu() - other).abs().mean() < 0.05


def test_run_killed_on_a_gpu_goes_on_from_its_last_epoch(
    phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny(LONGER, tmp_path / "long.toml", epochs=2, name="long", precision="bfloat16")
    common = ("--config", path, "--data", phantoms, "--output", tmp_path, "--resume")
    monkeypatch.setattr(sys, "argv", ["program", *map(str, common)])
    first = run.open_run(None, path)
    assert first.device.type == "cuda"
    monkeypatch.setattr(Trainer, "finished", lambda trainer: len(trainer.history) >= 1)
    train_classifier.main(first)
    monkeypatch.undo()
    monkeypatch.setattr(sys, "argv", ["program", *map(str, common)])

    train_classifier.main(run.open_run(None, path))

    lines = (tmp_path / "long" / engine.HISTORY).read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2"]
    checkpoints.load(tmp_path / "long" / run.BEST, CovidClassifierNet())
