"""Which pictures a network sees, how they are turned, and how often they are drawn."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from training.augment import augment
from training.cache import Pixels
from training.config import TrainConfig
from training.datasets.records import Record

Batch = tuple[Tensor, Tensor]  # images (B, 1, H, W) in [0, 255]; int64 targets (B,)
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Examples:
    """Rows of the pixel cache, each with the clockwise quarter turns to apply and its target."""

    rows: Ints
    turns: Ints
    targets: Ints
    weights: npt.NDArray[np.float64]  # relative frequency in training

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, keep: npt.NDArray[np.bool_]) -> "Examples":
        return Examples(self.rows[keep], self.turns[keep], self.targets[keep], self.weights[keep])


def join(parts: Sequence[Examples]) -> Examples:
    """Puts examples behind one another."""
    columns = zip(*((p.rows, p.turns, p.targets, p.weights) for p in parts), strict=True)
    return Examples(*(np.concatenate(column) for column in columns))


def source_weights(records: Sequence[Record], power: float) -> npt.NDArray[np.float64]:
    """Weights that sum to 1, a source of n images having n ** power of the whole."""
    counts = Counter(r.dataset for r in records)
    weights = np.array([counts[r.dataset] ** (power - 1.0) for r in records])
    return np.asarray(weights / weights.sum())


def train_batches(
    pixels: Pixels, examples: Examples, config: TrainConfig, *, epoch: int
) -> Iterator[Batch]:
    """Draws one epoch of augmented batches by weight; the same for the same seed and epoch."""
    numbers = np.random.default_rng((config.seed, epoch))
    generator = torch.Generator().manual_seed(int(numbers.integers(2**62)))
    share = examples.weights / examples.weights.sum()
    side = round(config.size * config.augmentation.crop)
    for _ in range(config.steps_per_epoch):
        drawn = numbers.choice(len(examples), config.batch_size, p=share)
        images, targets = _gather(pixels, examples, drawn)
        yield resize(augment(images, config.augmentation, generator), side), targets


def eval_batches(
    pixels: Pixels, examples: Examples, *, size: int, batch_size: int = 64
) -> Iterator[Batch]:
    """Goes once through the examples in order, unvaried."""
    for start in range(0, len(examples), batch_size):
        chosen = np.arange(start, min(start + batch_size, len(examples)))
        images, targets = _gather(pixels, examples, chosen)
        yield resize(images, size), targets


def resize(images: Tensor, size: int) -> Tensor:
    """Shrinks a batch for a run at lower resolution; at full size it is returned as it is."""
    if images.shape[-1] == size:
        return images
    return functional.interpolate(
        images.float(), size=(size, size), mode="bilinear", antialias=True
    )


def _gather(pixels: Pixels, examples: Examples, chosen: Ints) -> Batch:
    pictures = [
        np.rot90(pixels[row], -turns)
        for row, turns in zip(examples.rows[chosen], examples.turns[chosen], strict=True)
    ]
    images = torch.from_numpy(np.stack(pictures)).unsqueeze(1)  # (B, 1, SIZE, SIZE)
    return images, torch.from_numpy(examples.targets[chosen])
