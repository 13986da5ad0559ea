"""Trains the X-ray filter: upright frontal chest X-rays against all other images.

    python -m training.train_filter

Rotated negatives come from the frontal images of the same split, so no rotated test image was an
upright training image. Half of each batch is valid; the kinds of negatives share the rest (paper,
3.1, 4.1).
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from chestxray.labels import FINDINGS, QUARTER_TURNS, VERDICTS, Verdict
from training import engine, losses
from training.cache import Pixels
from training.config import TrainConfig
from training.datasets import derived, synthetic
from training.datasets.curated import INDETERMINATE, OTHER_FINDING
from training.datasets.records import Record
from training.engine import Step, Validation
from training.examples import (
    Batch,
    Examples,
    eval_batches,
    join,
    of_one_target,
    source_weights,
    train_batches,
)
from training.initial_weights import build_filter, freeze_filter
from training.run import Run, checkpoint_saver, open_run, open_trainer

NAME = "xray_filter"
CONFIG = Path(__file__).parent / "configs" / "filter.toml"

FRONTAL_LABELS = (*map(str, FINDINGS), INDETERMINATE, OTHER_FINDING)
"""Labels of frontal chest images, with any finding."""

_LABELS = (
    (Verdict.FRONTAL_CHEST, FRONTAL_LABELS),
    (Verdict.LATERAL_CHEST, ("lateral_cxr",)),
    (Verdict.OTHER_XRAY, ("other_xray",)),
    (Verdict.NOT_XRAY, ("ct", "natural")),
    (Verdict.NOT_XRAY, (derived.TWO_FILMS,)),
    (Verdict.NOT_XRAY, (derived.PART_OF_PAGE, derived.PHOTO_OF_SCREEN)),
    (Verdict.INVERTED, (derived.INVERTED,)),
)
# Orientation has no meaning here, so every rotation is an equally good example.
_TURNED_FREELY = (Verdict.OTHER_XRAY, Verdict.NOT_XRAY, Verdict.INVERTED)
_KINDS_OF_NEGATIVES = len(_LABELS)  # the first is valid; rotated images are one more kind
_SYNTHETIC_PER_SPLIT = 200


def examples(records: Sequence[Record], split: str, *, power: float, turned: bool) -> Examples:
    """Examples of the split by verdict; `turned` adds random rotations of images without an
    upright.
    """
    parts = []
    for verdict, labels in _LABELS:
        rows = [i for i, r in enumerate(records) if r.split == split and r.label in labels]
        if not rows:
            continue
        weights = source_weights([records[i] for i in rows], power)
        turns = range(4) if turned and verdict in _TURNED_FREELY else range(1)
        share = 1 / 2 if verdict is Verdict.FRONTAL_CHEST else 1 / 2 / _KINDS_OF_NEGATIVES
        parts += [_part(rows, turn, verdict, weights * share / len(turns)) for turn in turns]
        if verdict is Verdict.FRONTAL_CHEST:
            share = 1 / 2 / _KINDS_OF_NEGATIVES / len(QUARTER_TURNS)
            parts += [_part(rows, k, v, weights * share) for v, k in QUARTER_TURNS.items()]
    return join(parts)


def _part(rows: list[int], turns: int, verdict: Verdict, weights: np.ndarray) -> Examples:
    return of_one_target(rows, VERDICTS.index(verdict), weights, turns=turns)


def with_synthetic(pixels: Pixels, train: Examples, config: TrainConfig) -> tuple[Pixels, Examples]:
    """Adds synthetic images to the not_xray class, a fifth of it."""
    made = synthetic.make(_SYNTHETIC_PER_SPLIT, np.random.default_rng(config.seed))
    rows = list(range(len(pixels), len(pixels) + len(made)))
    weights = np.full(len(made), 1 / 2 / _KINDS_OF_NEGATIVES / 4 / len(made))
    return np.concatenate([pixels, made]), join([train, _part(rows, 0, Verdict.NOT_XRAY, weights)])


def loss(network: nn.Module, batch: Batch) -> Step:
    """Cross-entropy over the verdicts."""
    logits = network(batch.images)
    each = losses.smooth_cross_entropy(logits, batch.targets, smoothing=0.0)
    return Step(each.mean(), logits.argmax(dim=1) == batch.targets)


def validate(run: Run, network: nn.Module, examples: Examples) -> Validation:
    """Cross-entropy and accuracy with each example at its training weight."""
    batches = eval_batches(run.pixels, examples, size=run.config.size)
    logits = engine.predict(network, batches, run.device)
    targets = torch.from_numpy(examples.targets)
    each = nn.functional.cross_entropy(logits, targets, reduction="none")
    hits = logits.argmax(dim=1) == targets
    return Validation(*(float(np.average(x, weights=examples.weights)) for x in (each, hits)))


def _build_network(config: TrainConfig) -> nn.Module:
    network = build_filter(config.init)
    freeze_filter(network, config.frozen_blocks)
    return network


def main(run: Run) -> None:
    """Trains to completion; the best weights are in the run's folder."""
    config = run.config
    pixels, records = derived.extend(run.pixels, run.records)
    seen = replace(run, pixels=pixels)
    power = config.source_power
    train = examples(records, "train", power=power, turned=True)
    val = examples(records, "val", power=power, turned=False)
    pixels, train = with_synthetic(pixels, train, config)
    engine.fit(
        open_trainer(run, _build_network),
        lambda epoch: train_batches(
            pixels, train, config, epoch=epoch, device=run.device, process_group=run.process_group
        ),
        loss,
        lambda network: validate(seen, network, val),
        checkpoint_saver(run, NAME),
        run.folder,
    )


if __name__ == "__main__":
    main(open_run(__doc__, CONFIG))
