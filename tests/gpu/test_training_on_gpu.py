"""Training on a GPU takes the same steps as on the CPU, and can be resumed."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from chestxray import checkpoints
from chestxray.networks import CovidClassifierNet
from tests.collection import write_small_config
from training import engine, run, train_classifier
from training.augment import augment_together
from training.config import read_config
from training.engine import Trainer
from training.examples import train_batches

LONGER = train_classifier.CONFIG.parent / "classifier_longer.toml"


def first_step(device: str, phantoms: Path, folder: Path) -> tuple[float, torch.Tensor]:
    """The loss of one step in full precision, and the gradient of the first convolution."""
    config = read_config(write_small_config(LONGER, folder / "tiny.toml", batch_size=16, size=96))
    opened = run.start_run(
        config, [str(phantoms)], folder / device, torch.device(device), resume=False
    )
    torch.manual_seed(0)
    trainer = Trainer(train_classifier.build_network(config), config, opened.device)
    train = train_classifier.training_examples(opened)
    loss = train_classifier.build_loss(opened, train)
    [batch] = train_batches(opened.pixels, train, config, epoch=0, device=opened.device)
    trainer.network.train()
    step = loss(trainer.network, batch)
    step.loss.backward()  # type: ignore[no-untyped-call]
    gradient = next(trainer.network.parameters()).grad
    assert gradient is not None
    return step.loss.item(), gradient.cpu().flatten()


def test_training_step_on_a_gpu_matches_the_cpu(
    phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)

    one, other = (first_step(device, phantoms, tmp_path) for device in ("cuda", "cpu"))

    assert one[0] == pytest.approx(other[0], rel=1e-3)
    assert torch.cosine_similarity(one[1], other[1], dim=0) > 0.99


def test_augmentation_is_the_same_on_gpu_and_cpu(generator: np.random.Generator) -> None:
    published = read_config(LONGER).augmentation
    how = replace(published, border=0.5, letters=0.5, noise=0.05, blur=0.5)
    images = torch.from_numpy(generator.integers(0, 256, (6, 1, 224, 224), np.uint8))
    regions = torch.from_numpy(generator.integers(0, 256, (6, 2, 56, 56), np.uint8))

    def varied(device: str) -> tuple[torch.Tensor, torch.Tensor]:
        numbers = torch.Generator().manual_seed(3)
        return augment_together(images.to(device), regions.to(device), how, numbers)

    for one, other in zip(varied("cuda"), varied("cpu"), strict=True):
        assert one.is_cuda
        # A grid's places differ in their last bit, which moves an edge of the noise a little.
        assert (one.cpu() - other).abs().mean() < 0.05


def test_interrupted_gpu_run_resumes_from_its_last_epoch(
    phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_small_config(
        LONGER, tmp_path / "long.toml", epochs=2, name="long", precision="bfloat16"
    )
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
