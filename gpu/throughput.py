"""Measures the classifier's training images per second, by batch size.

Small batches leave a large GPU waiting for the CPU that launches its kernels. Several runs on one
GPU fill the gaps: `python -m training.compare --jobs` (see their history.csv).
"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from training import benchmark
from training.config import read_config
from training.model_card import table
from training.run import start_run

CONFIG = Path(__file__).parents[1] / "training" / "configs" / "classifier_supervised.toml"
BATCHES = (32, 64, 128, 256)


def measure(data: str, cache: Path, *, device: str, steps: int) -> dict[str, Any]:
    """Images per second and the share of time spent waiting for data, by batch size; plain
    values.
    """
    found = {}
    with TemporaryDirectory() as output:
        for batch in BATCHES:
            config = replace(read_config(CONFIG), init="random", batch_size=batch)
            where = torch.device(device)
            run = start_run(config, [data], Path(output), where, resume=False, cache=cache)
            speed, waiting = benchmark.measure(run, steps=steps)
            found[str(batch)] = {"images_per_second": speed, "waiting": waiting}
    return found


def render(found: dict[str, Any]) -> list[str]:
    """Renders the results as Markdown."""
    head = ("batch", "images/s", "waiting for data")
    rows = [
        (batch, f"{row['images_per_second']:.0f}", f"{row['waiting']:.0%}")
        for batch, row in found.items()
    ]
    return [f"`{CONFIG.name}`, one process:", "", *table(head, rows)]
