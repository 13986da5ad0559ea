"""Shared parts of the training scripts: flags, folders, data, and saving the best weights."""

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
from training.ablations import apply
from training.cache import Pixels, data_digest, open_cache
from training.config import TrainConfig, read_config
from training.datasets import collections
from training.datasets.records import Record
from training.distributed import SINGLE_PROCESS, ProcessGroup, init_process_group
from training.engine import STATE, Trainer
from training.initial_weights import checkpoint_path
from training.shared_folder import DATA

BEST = "best.safetensors"


@dataclass(frozen=True)
class Run:
    """A training run: its configuration, data and output folder."""

    config: TrainConfig
    records: list[Record]
    pixels: Pixels
    folder: Path
    device: torch.device
    resume: bool
    cache: Path  # cache folder, shared by all runs
    process_group: ProcessGroup = SINGLE_PROCESS


def open_run(description: str | None, config_path: Path) -> Run:
    """Parses the flags of a training script and opens its data."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, default=config_path)
    add_data_flags(parser)
    parser.add_argument("--output", type=Path, default=Path("runs"))
    parser.add_argument("--seed", type=int, help="in place of the configuration's")
    parser.add_argument(
        "--init", help="in place of the configuration's: imagenet, random, file:PATH, shared:PATH"
    )
    parser.add_argument("--resume", action="store_true")
    flags = parser.parse_args()
    given = {name: getattr(flags, name) for name in ("seed", "init")}
    config = read_config(flags.config, **{k: v for k, v in given.items() if v is not None})
    return start_run(
        config, flags.data, flags.output, torch.device(flags.device), resume=flags.resume
    )


def add_data_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the flags for the data and the device."""
    parser.add_argument(
        "--data", nargs="+", default=[str(DATA)], help="curated folder, or NAME=FOLDER each"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")


def start_run(
    config: TrainConfig,
    data: Sequence[str],
    output: Path,
    device: torch.device,
    *,
    resume: bool,
    cache: Path | None = None,
) -> Run:
    """Opens the data of a run and its folder `output / name`; rank 0 decodes for all ranks."""
    process_group, device = init_process_group(device)
    records = load_records(data, config)
    folder = output / config.name
    folder.mkdir(parents=True, exist_ok=True)
    where = cache or output / "cache"
    process_group.broadcast(lambda: len(open_cache(records, where)))
    pixels = apply(config.view, open_cache(records, where))
    return Run(config, records, pixels, folder, device, resume, where, process_group)


def load_records(data: Sequence[str], config: TrainConfig) -> list[Record]:
    """Reads the collections, with the suggested splits or with splits drawn by the seed.

    Draws splits if the run is configured so, or if a collection suggests none.
    """
    records = collections.load(data)
    if config.redraw or not all(r.split for r in records):
        records = splits.redraw(records, np.random.default_rng(config.seed))
    splits.check_disjoint(records)
    return records


def open_trainer(run: Run, build_network: Callable[[TrainConfig], nn.Module]) -> Trainer:
    """Starts a trainer or resumes an interrupted one. Raises ValueError if that had another
    configuration.
    """
    torch.manual_seed(
        run.config.seed
    )  # before the network, whose new layers are initialised from it
    trainer = Trainer(
        build_network(run.config), run.config, run.device, _fingerprint(run), run.process_group
    )
    if run.resume and (run.folder / STATE).exists():
        trainer.resume(run.folder / STATE)
    return trainer


def _fingerprint(run: Run) -> str:
    file = checkpoint_path(run.config.init)
    weights = checkpoints.digest(file) if file else run.config.init
    return json.dumps([asdict(run.config), weights, data_digests(run.records)])


def data_digests(records: Sequence[Record]) -> dict[str, str]:
    """One digest for each split that a model is trained, selected and tested on."""
    return {split: data_digest(splits.of(records, split)) for split in splits.SHARES}


def checkpoint_saver(run: Run, name: str) -> Callable[[nn.Module], None]:
    """Returns a callback that saves the best weights with their card."""
    digests = data_digests(run.records)

    def save_weights(network: nn.Module) -> None:
        card = checkpoints.card_of(network, name=name, version=run.config.version)
        training = {"config": asdict(run.config)}
        update = {"training": training, "data_digests": digests}
        checkpoints.save(run.folder / BEST, network, card.model_copy(update=update))

    return save_weights
