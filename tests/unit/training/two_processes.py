"""What each process of test_distributed.py does; torchrun starts two of them."""

import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import distributed, nn

from tests.unit.training.test_engine import toy_config, toy_loss
from training import engine, run, train_filter
from training.distributed import ProcessGroup
from training.engine import Trainer, Validation
from training.examples import Batch


def batches(process_group: ProcessGroup) -> list[Batch]:
    """One process's part of three batches of eight."""
    images = torch.randn(3, 8, 4, generator=torch.Generator().manual_seed(0))
    targets = (images.sum(dim=2) > 0).long()
    part = slice(process_group.rank, None, process_group.world_size)
    return [Batch(i[part], t[part], t[part], t[part]) for i, t in zip(images, targets, strict=True)]


def train(process_group: ProcessGroup, folder: Path) -> nn.Module:
    """Without batch statistics, two processes with half a batch each are one with the whole."""
    torch.manual_seed(0)
    config = replace(toy_config(), epochs=2)
    trainer = Trainer(nn.Linear(4, 2), config, torch.device("cpu"), process_group=process_group)
    engine.fit(
        trainer,
        lambda _: batches(process_group),
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
    process_group = opened.process_group
    network = train(process_group, folder)
    torch.save(network.state_dict(), folder / f"rank{process_group.rank}.pt")
    distributed.destroy_process_group()
