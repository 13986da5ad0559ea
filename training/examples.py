"""Training examples: which images, how they are rotated, and how often they are sampled."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from training.augment import augment_together
from training.cache import Pixels
from training.config import TrainConfig
from training.datasets.records import Record
from training.distributed import SINGLE_PROCESS, ProcessGroup
from training.regions import RegionMaps

Ints = npt.NDArray[np.int64]


class Batch(NamedTuple):
    """Input of a training step."""

    images: Tensor  # (B, 1, H, W) in [0, 255]
    targets: Tensor  # int64 (B,)
    groups: Tensor  # int64 (B,): class and source
    rows: Tensor  # int64 (B,): of the pixel cache
    regions: Tensor = torch.empty(0)  # (B, 2, h, w) in [0, 1], -1 if unknown (regions.py)


@dataclass(frozen=True)
class Examples:
    """Rows of the pixel cache, each with clockwise quarter turns to apply and a target."""

    rows: Ints
    turns: Ints
    targets: Ints
    groups: Ints  # groups of a group-robust loss
    weights: npt.NDArray[np.float64]  # relative sampling frequency in training

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, keep: npt.NDArray[np.bool_]) -> "Examples":
        return Examples(
            self.rows[keep],
            self.turns[keep],
            self.targets[keep],
            self.groups[keep],
            self.weights[keep],
        )


def join(parts: Sequence[Examples]) -> Examples:
    """Concatenates examples."""
    columns = zip(*((p.rows, p.turns, p.targets, p.groups, p.weights) for p in parts), strict=True)
    return Examples(*(np.concatenate(column) for column in columns))


def of_one_target(
    rows: Sequence[int], target: int, weights: npt.NDArray[np.float64], *, turns: int = 0
) -> Examples:
    """Examples of one target and group, all with the same rotation."""
    same = np.full(len(rows), target)
    return Examples(np.array(rows), np.full(len(rows), turns), same, same, weights)


def source_weights(records: Sequence[Record], power: float) -> npt.NDArray[np.float64]:
    """Weights that sum to 1; a source of n images gets n ** power of the total."""
    counts = Counter(r.dataset for r in records)
    weights = np.array([counts[r.dataset] ** (power - 1.0) for r in records])
    return np.asarray(weights / weights.sum())


def train_batches(
    pixels: Pixels,
    examples: Examples,
    config: TrainConfig,
    *,
    epoch: int,
    device: torch.device | None = None,
    process_group: ProcessGroup = SINGLE_PROCESS,
    variation: int = 0,
    maps: RegionMaps | None = None,
) -> Iterator[Batch]:
    """Draws one epoch of batches by weight, augmented on the device; the same for seed and epoch.

    Every process draws the same batches and takes its part of each. Another variation has the same
    images with other augmentations.
    """
    numbers = np.random.default_rng((config.seed, epoch))
    start = np.random.SeedSequence((int(numbers.integers(2**62)), process_group.rank, variation))
    generator = torch.Generator().manual_seed(int(start.generate_state(1, np.uint64)[0]) >> 1)
    share = examples.weights / examples.weights.sum()
    side = round(config.size * config.augmentation.crop)
    for _ in range(config.steps_per_epoch):
        drawn = numbers.choice(len(examples), config.batch_size, p=share)
        batch = _gather(
            pixels, examples, drawn[process_group.rank :: process_group.world_size], device
        )
        drawn_on = _regions(maps, batch)
        varied, moved = augment_together(batch.images, drawn_on, config.augmentation, generator)
        yield batch._replace(images=resize(varied, side), regions=_unknown(maps, batch, moved))


def _regions(maps: RegionMaps | None, batch: Batch) -> Tensor:
    """Regions (B, 2, SIDE, SIDE) in [0, 1] of a batch; no channels if none are used."""
    if maps is None:
        return batch.images[:, :0]
    found = torch.from_numpy(maps.drawn[batch.rows.cpu().numpy()])
    return found.to(batch.images.device).float() / 255


def _unknown(maps: RegionMaps | None, batch: Batch, moved: Tensor) -> Tensor:
    """Marks regions that were not annotated."""
    if maps is None:
        return batch.regions
    known = torch.from_numpy(maps.known[batch.rows.cpu().numpy()]).to(moved.device)
    return moved.masked_fill(~known[:, :, None, None], -1.0)


def eval_batches(
    pixels: Pixels, examples: Examples, *, size: int, batch_size: int = 64
) -> Iterator[Batch]:
    """Iterates once over the examples in order, without augmentation."""
    for start in range(0, len(examples), batch_size):
        chosen = np.arange(start, min(start + batch_size, len(examples)))
        batch = _gather(pixels, examples, chosen, None)
        yield batch._replace(images=resize(batch.images, size))


def resize(images: Tensor, size: int) -> Tensor:
    """Downscales a batch for a run at lower resolution; returns it unchanged at full size."""
    if images.shape[-1] == size:
        return images
    return functional.interpolate(
        images.float(), size=(size, size), mode="bilinear", antialias=True
    )


def _gather(pixels: Pixels, examples: Examples, chosen: Ints, device: torch.device | None) -> Batch:
    pictures = [
        np.rot90(pixels[row], -turns)
        for row, turns in zip(examples.rows[chosen], examples.turns[chosen], strict=True)
    ]
    images = torch.from_numpy(np.stack(pictures)).unsqueeze(1)  # (B, 1, SIZE, SIZE)
    facts = (examples.targets, examples.groups, examples.rows)
    columns = (images, *(torch.from_numpy(fact[chosen]) for fact in facts))
    return Batch(*(column.to(device) for column in columns))
