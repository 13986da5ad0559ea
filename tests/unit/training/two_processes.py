"""What each process of tests/unit/training/test_team.py does; torchrun starts two of them."""

import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import distributed, nn

from tests.unit.training.test_training import toy_config, toy_loss
from training import engine, run, train_filter
from training.engine import Trainer, Validation
from training.examples import Batch
from training.team import Team


def batches(team: Team) -> list[Batch]:
    """The team's part of three batches of eight."""
    images = torch.randn(3, 8, 4, generator=torch.Generator().manual_seed(0))
    targets = (images.sum(dim=2) > 0).long()
    part = slice(team.rank, None, team.size)
    return [Batch(i[part], t[part], t[part], t[part]) for i, t in zip(images, targets, strict=True)]


def train(team: Team, folder: Path) -> nn.Module:
    """Without batch statistics, two processes with half a batch each are one with the whole."""
    torch.manual_seed(0)
    config = replace(toy_config(), epochs=2)
    trainer = Trainer(nn.Linear(4, 2), config, torch.device("cpu"), team=team)
    engine.fit(
        trainer,
        lambda _: batches(team),
        toy_loss,
        lambda _: Validation(0.0),
        lambda _: None,
        folder,
    )
    return trainer.network


if __name__ == "__main__":
    folder = Path(sys.argv.pop(1))
    opened = run.open_run(None, train_filter.CONFIG)
    train_filter.main(opened)
    team = opened.team
    network = train(team, folder)
    torch.save(network.state_dict(), folder / f"rank{team.rank}.pt")
    distributed.destroy_process_group()
