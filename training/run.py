"""What both training scripts share: flags, folders, data, and keeping the best weights."""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from chestxray import checkpoints
from training import splits
from training.cache import Pixels, data_digest, open_cache
from training.config import TrainConfig, read_config
from training.datasets import curated
from training.datasets.records import Record
from training.engine import STATE, Trainer

BEST = "best.safetensors"


@dataclass(frozen=True)
class Run:
    """One training run: its configuration, its data and the folder that it writes."""

    config: TrainConfig
    records: list[Record]
    pixels: Pixels
    folder: Path
    device: torch.device
    resume: bool


def open_run(description: str | None, config_path: Path) -> Run:
    """Reads the flags of a training script and opens its data."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--config", type=Path, default=config_path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--output", type=Path, default=Path("runs"))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--resume", action="store_true")
    flags = parser.parse_args()
    overrides = {} if flags.seed is None else {"seed": flags.seed}
    config = read_config(flags.config, **overrides)
    records = load_records(flags.data, config)
    folder = flags.output / config.name
    folder.mkdir(parents=True, exist_ok=True)
    pixels = open_cache(records, flags.output / "cache")
    device = torch.device(flags.device)
    return Run(config, records, pixels, folder, device, flags.resume)


def load_records(data: Path, config: TrainConfig) -> list[Record]:
    """Reads the collection, split as it suggests or, where the run says so, anew by its seed."""
    records = curated.load(data)
    if config.redraw:
        records = splits.redraw(records, np.random.default_rng(config.seed))
    splits.check_disjoint(records)
    return records


def open_trainer(run: Run, start: Callable[[TrainConfig], nn.Module]) -> Trainer:
    """Starts a trainer, or takes up the one that was killed; ValueError if that was another."""
    torch.manual_seed(run.config.seed)  # before the network, whose new layers draw from it
    trainer = Trainer(start(run.config), run.config, run.device, _fingerprint(run))
    if run.resume and (run.folder / STATE).exists():
        trainer.resume(run.folder / STATE)
    return trainer


def _fingerprint(run: Run) -> str:
    start = run.config.init.removeprefix("file:")
    weights = checkpoints.digest(Path(start)) if start != run.config.init else start
    return json.dumps([asdict(run.config), weights, data_digests(run.records)])


def data_digests(records: Sequence[Record]) -> dict[str, str]:
    """One digest for each split that a model is trained, chosen and tested on."""
    return {split: data_digest(splits.of(records, split)) for split in splits.SHARES}


def keeper(run: Run, name: str) -> Callable[[nn.Module], None]:
    """Returns what saves the best weights with their card."""
    digests = data_digests(run.records)

    def keep(network: nn.Module) -> None:
        card = checkpoints.card_of(network, name=name, version=run.config.version)
        training = {"config": asdict(run.config)}
        update = {"training": training, "data_digests": digests}
        checkpoints.save(run.folder / BEST, network, card.model_copy(update=update))

    return keep
