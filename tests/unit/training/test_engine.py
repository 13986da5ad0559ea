"""The training loop: an interrupted run ends like an uninterrupted one; schedules; early stop."""

import contextlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.conftest import ROOT
from training import engine, train_classifier
from training.config import TrainConfig, read_config
from training.engine import Step, Trainer, Validation
from training.examples import Batch


def test_state_of_another_configuration_is_not_resumed(tmp_path: Path) -> None:
    state = tmp_path / engine.STATE
    Trainer(ToyNetwork(), toy_config(), torch.device("cpu"), "one").save(state)

    with pytest.raises(ValueError, match="another configuration"):
        Trainer(ToyNetwork(), toy_config(), torch.device("cpu"), "other").resume(state)


class ToyNetwork(nn.Module):
    """A tiny network with all state of a run: weights, batch statistics, dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 2)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.layers(images)
        return answer


@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_interrupted_and_resumed_run_ends_like_an_uninterrupted_one(
    tmp_path: Path, schedule: str
) -> None:
    unbroken = toy_run(tmp_path / "a", schedule, stops=[6])
    killed = toy_run(tmp_path / "b", schedule, stops=[2, 3, 6])

    assert [line.val_loss for line in unbroken.history] == [
        line.val_loss for line in killed.history
    ]
    for one, other in zip(unbroken.network.parameters(), killed.network.parameters(), strict=True):
        assert torch.equal(one, other)
    for one, other in zip(
        unbroken.ema_model.parameters(), killed.ema_model.parameters(), strict=True
    ):
        assert torch.equal(one, other)


def toy_run(folder: Path, schedule: str, *, stops: list[int]) -> Trainer:
    folder.mkdir()
    for stop in stops:
        torch.manual_seed(0)
        trainer = Trainer(
            ToyNetwork(), toy_config(epochs=6, schedule=schedule), torch.device("cpu")
        )
        if (folder / engine.STATE).exists():
            trainer.resume(folder / engine.STATE)
        validate = interrupt_after(stop - len(trainer.history))
        with contextlib.suppress(KeyboardInterrupt):
            engine.fit(trainer, toy_batches, toy_loss, validate, lambda _: None, folder)
    return trainer


def interrupt_after(epochs: int) -> Callable[[nn.Module], Validation]:
    left = iter(range(epochs))

    def validate(network: nn.Module) -> Validation:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return toy_validate(network)

    return validate


def toy_config(**changes: object) -> TrainConfig:
    values = asdict(read_config(ROOT / "training" / "configs" / "filter.toml"))
    values |= {"name": "toy", "steps_per_epoch": 3, "precision": "float32"} | changes
    return TrainConfig(**values)


def toy_batches(epoch: int) -> list[Batch]:
    numbers = torch.Generator().manual_seed(epoch)
    images = torch.randn(3, 16, 4, generator=numbers)
    targets = (images.sum(dim=2) > 0).long()
    return [Batch(i, t, t, t) for i, t in zip(images, targets, strict=True)]


def toy_loss(network: nn.Module, batch: Batch) -> Step:
    logits = network(batch.images)
    loss = nn.functional.cross_entropy(logits, batch.targets)
    return Step(loss, logits.argmax(dim=1) == batch.targets)


def toy_validate(network: nn.Module) -> Validation:
    network.eval()
    with torch.inference_mode():
        step = toy_loss(network, toy_batches(999)[0])
    return Validation(float(step.loss), float(step.hits.float().mean()))


def test_early_stop_ends_a_run_without_progress(tmp_path: Path) -> None:
    config = toy_config(epochs=50, early_stop=3)
    trainer = Trainer(ToyNetwork(), config, torch.device("cpu"))

    engine.fit(trainer, toy_batches, toy_loss, lambda _: Validation(1.0), lambda _: None, tmp_path)

    assert len(trainer.history) == 4


def test_plateau_halves_the_learning_rate(tmp_path: Path) -> None:
    config = toy_config(epochs=7, schedule="plateau", plateau_patience=2, learning_rate=1.0)
    trainer = Trainer(ToyNetwork(), config, torch.device("cpu"))

    engine.fit(trainer, toy_batches, toy_loss, lambda _: Validation(1.0), lambda _: None, tmp_path)

    assert [line.learning_rate for line in trainer.history] == [1, 1, 1, 1, 0.5, 0.5, 0.5]


@pytest.mark.parametrize(("keep_last", "expected"), [(False, [1, 2, 4]), (True, [1, 2, 3, 4])])
def test_best_weights_or_all_epochs_are_saved(
    tmp_path: Path, keep_last: bool, expected: list[int]
) -> None:
    losses, kept = iter([3.0, 1.0, 2.0, 0.5]), []
    config = toy_config(epochs=4, keep_last=keep_last)
    trainer = Trainer(ToyNetwork(), config, torch.device("cpu"))

    engine.fit(
        trainer,
        toy_batches,
        toy_loss,
        lambda _: Validation(next(losses)),
        lambda _: kept.append(len(trainer.history)),
        tmp_path,
    )

    assert kept == expected


def test_frozen_blocks_keep_weights_and_statistics(random_classifier: Path) -> None:
    config = read_config(train_classifier.CONFIG, init=f"file:{random_classifier}", frozen_blocks=1)
    network = train_classifier.build_network(config)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)

    engine.set_train_mode(network)
    network(torch.full((2, 1, 64, 64), 100.0)).logits.sum().backward()
    optimizer.step()

    after, fixed = network.state_dict(), ("conv0", "norm0", "denseblock1", "transition1")
    for name, tensor in before.items():
        if name.startswith(tuple(f"features.{module}." for module in fixed)):
            assert torch.equal(after[name], tensor), name
    assert not torch.equal(after["cam.weight"], before["cam.weight"])
    mean = "features.denseblock2.denselayer1.norm1.running_mean"
    assert not torch.equal(after[mean], before[mean])


@pytest.mark.parametrize(
    ("able", "wanted", "used"),
    [
        ({"avx512_bf16": True}, "bfloat16", True),
        ({"amx_bf16": True}, "bfloat16", True),
        ({"avx512_bf16": False}, "bfloat16", False),
        ({"avx512_bf16": True}, "float32", False),
    ],
)
def test_bfloat16_is_used_only_if_the_cpu_supports_it(
    monkeypatch: pytest.MonkeyPatch, able: dict[str, bool], wanted: str, used: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)

    with engine.autocast(torch.device("cpu"), wanted):
        assert torch.is_autocast_enabled("cpu") == used
