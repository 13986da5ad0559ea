"""Measures the training images per second of each network, and the time spent waiting for data.

    python -m training.benchmark

Results depend on the machine and its other load; only compare within one run.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from training import engine, regions, train_classifier, train_filter
from training.config import read_config
from training.engine import Trainer
from training.examples import train_batches
from training.initial_weights import build_filter
from training.model_card import table
from training.run import Run, add_data_flags, start_run

CONFIGS = ("filter", "classifier_stage1", "classifier_stage2", "classifier_longer")
_WARM_UP, _STEPS = 1, 6


def measure(run: Run, *, steps: int = _STEPS) -> tuple[float, float]:
    """Images per second over this many steps, and the share of time spent waiting for data."""
    torch.manual_seed(0)
    maps = None
    if run.config.name == "filter":
        examples = train_filter.examples(run.records, "train", power=0.5, turned=True)
        trainer = Trainer(build_filter("random"), run.config, run.device)
        loss: engine.Loss = train_filter.loss
    else:
        examples = train_classifier.training_examples(run)
        trainer = Trainer(train_classifier.build_network(run.config), run.config, run.device)
        loss = train_classifier.build_loss(run, examples)
        if run.config.map_weight:
            maps = regions.open_regions(run.records, run.cache)
    for count in (max(_WARM_UP, steps // 10), steps):
        config = replace(run.config, steps_per_epoch=count)
        batches = train_batches(run.pixels, examples, config, epoch=0, device=run.device, maps=maps)
        started = time.monotonic()
        _, _, waiting = trainer.train_one_epoch(batches, loss)
    return steps * config.batch_size / (time.monotonic() - started), waiting


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_data_flags(parser)
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    flags = parser.parse_args()
    folder, device, rows = train_classifier.CONFIG.parent, torch.device(flags.device), []
    for name in CONFIGS:
        config = read_config(folder / f"{name}.toml", init="random")
        with TemporaryDirectory() as output:
            run = start_run(
                config, flags.data, Path(output), device, resume=False, cache=flags.cache
            )
            speed, waiting = measure(run)
        side = round(config.size * config.augmentation.crop)
        used = engine.precision_on(device, config.precision)
        rows.append((name, f"{side}x{side}", used, f"{speed:.1f}", f"{waiting:.1%}"))
    head = ("configuration", "pixels", "precision", "images/s", "waiting for data")
    print("\n".join([f"On {device}, {torch.get_num_threads()} threads:", "", *table(head, rows)]))


if __name__ == "__main__":
    main()
