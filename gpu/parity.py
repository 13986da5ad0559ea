"""Compares GPU and CPU outputs on real images.

A CPU computes in float32, a GPU in TF32 where it can (chestxray/engines.py), so outputs differ by
rounding. Measures how much, and how often a decision changes.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from chestxray import checkpoints
from chestxray.engines import Images, Outputs, open_engine, softmax
from chestxray.labels import Verdict
from training.cache import read
from training.model_card import table

_Floats = npt.NDArray[np.float32]
_BATCH = 16


@dataclass(frozen=True)
class Difference:
    """Differences of two engines on the same images."""

    model: str
    films: int
    probability_most: float
    probability_mean: float  # quantiles of an image's largest difference
    cells_most: float  # of the map, relative to the image's own maximum magnitude; 0 without a map
    flipped: int  # images with a different most probable class
    verdicts: int  # images that only one of the two accepts; 0 for the classifier


def compare(checkpoint: Path, images: Images, *, device: str) -> Difference:
    """Runs images (N, 1, SIZE, SIZE) on a device and on the CPU, and compares."""
    card = checkpoints.read_card(checkpoint)
    ours, cpu = (_outputs(checkpoint, card.architecture, images, one) for one in (device, "cpu"))
    one, other = (softmax(found["logits"], card.temperature) for found in (ours, cpu))
    moved = np.abs(one - other).max(axis=1)
    cells = 0.0
    if "cam" in ours:
        scale = np.abs(cpu["cam"]).max(axis=(1, 2, 3), keepdims=True)
        cells = float((np.abs(ours["cam"] - cpu["cam"]) / scale).max())
    verdicts = 0
    if (threshold := card.thresholds.get(Verdict.FRONTAL_CHEST)) is not None:
        place = card.labels.index(Verdict.FRONTAL_CHEST)
        verdicts = int(((one[:, place] >= threshold) != (other[:, place] >= threshold)).sum())
    return Difference(
        card.name,
        len(images),
        float(moved.max()),
        float(moved.mean()),
        cells,
        int((one.argmax(axis=1) != other.argmax(axis=1)).sum()),
        verdicts,
    )


def _outputs(checkpoint: Path, architecture: str, images: Images, device: str) -> Outputs:
    engine = open_engine(checkpoint, architecture, device=device)
    starts = range(0, len(images), _BATCH)
    parts = [engine(images[start : start + _BATCH]) for start in tqdm(starts, desc=device)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def measure(films: Sequence[Path], models: Sequence[Path], *, device: str) -> list[dict[str, Any]]:
    """Compares every model's checkpoint on the same images; returns plain values."""
    images = np.stack([read(film) for film in films])
    return [asdict(compare(model, images, device=device)) for model in models]


def render(found: Sequence[dict[str, Any]]) -> list[str]:
    """Renders the differences as Markdown."""
    head = (
        "model",
        "films",
        "probability, most",
        "mean of a film's most",
        "map, most, of the film's largest cell",
        "likeliest class differs",
        "accepted by one alone",
    )
    rows = [
        (
            row["model"],
            str(row["films"]),
            f"{row['probability_most']:.4f}",
            f"{row['probability_mean']:.5f}",
            f"{row['cells_most']:.4f}",
            str(row["flipped"]),
            str(row["verdicts"]),
        )
        for row in found
    ]
    return table(head, rows)
