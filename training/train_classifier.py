"""Trains one stage of the classifier; the second stage starts from the first one's best weights.

    python -m training.train_classifier --config training/configs/classifier_stage1.toml
    python -m training.train_classifier --config training/configs/classifier_stage2.toml

Stage 1 tells no finding from opacity, COVID-19 counting as opacity; stage 2 tells all three apart
(paper, 2.2). Every class is drawn equally often, so COVID-19 is oversampled.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from chestxray.labels import FINDINGS, Finding
from chestxray.networks import CovidClassifierNet
from training import engine, losses
from training.config import TrainConfig
from training.datasets.curated import SAME_SOURCE
from training.datasets.records import Record
from training.examples import Examples, eval_batches, join, source_weights, train_batches
from training.run import Run, keeper, open_run, open_trainer
from training.start import freeze, start_classifier

NAME = "covid_classifier"
CONFIG = Path(__file__).parent / "configs" / "classifier_stage2.toml"

STAGE_1_CLASSES = 2
"""Of the head's outputs, in label order: no finding, and opacity."""


def examples(records: Sequence[Record], split: str, *, power: float) -> Examples:
    """Lists the split's examples; each class weighs the same, its sources by size ** power."""
    parts = []
    for target, finding in enumerate(FINDINGS):
        rows = [i for i, r in enumerate(records) if r.split == split and r.label == finding]
        weights = source_weights([records[i] for i in rows], power)
        zeros = np.zeros(len(rows), dtype=np.int64)
        parts.append(Examples(np.array(rows), zeros, zeros + target, weights))
    return join(parts)


def favour_same_source(
    records: Sequence[Record], examples: Examples, share: float
) -> Examples:
    """Gives the source with all classes this share of the draws of every class."""
    same = np.array([records[row].dataset == SAME_SOURCE for row in examples.rows])
    cells = examples.targets * 2 + same
    wanted = np.where(same, share, 1 - share) / np.bincount(cells, examples.weights)[cells]
    return replace(examples, weights=examples.weights * wanted)


def validation_weights(records: Sequence[Record], examples: Examples) -> np.ndarray:
    """Half for the one source that has every class, half for the others; classes equal in each.

    Else the validation loss would reward telling the sources apart.
    """
    same = np.array([records[row].dataset == SAME_SOURCE for row in examples.rows])
    cells = examples.targets * 2 + same
    return np.asarray(1 / np.bincount(cells)[cells])


def merge_opacity(targets: Tensor) -> Tensor:
    """Counts COVID-19 as lung opacity."""
    covid, opacity = FINDINGS.index(Finding.COVID19), FINDINGS.index(Finding.LUNG_OPACITY)
    return targets.masked_fill(targets == covid, opacity)


def stage_loss(
    network: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    config: TrainConfig,
    weights: Tensor | None,
) -> Tensor:
    """The paper's loss (4.2) over the outputs that the stage trains."""
    logits = network(images).logits
    if config.stage == 1:
        logits, targets = logits[:, :STAGE_1_CLASSES], merge_opacity(targets)
    return losses.smooth_cross_entropy(
        logits, targets, smoothing=config.label_smoothing, weights=weights
    )


def validation_loss(run: Run, network: nn.Module, val: Examples) -> float:
    """Cross-entropy under `validation_weights`."""
    logits = engine.predict(
        network, eval_batches(run.pixels, val, size=run.config.size), run.device
    )
    targets = torch.from_numpy(val.targets)
    if run.config.stage == 1:
        logits, targets = logits[:, :STAGE_1_CLASSES], merge_opacity(targets)
    each = nn.functional.cross_entropy(logits, targets, reduction="none").numpy()
    return float(np.average(each, weights=validation_weights(run.records, val)))


def start_stage(config: TrainConfig) -> CovidClassifierNet:
    """Builds the network; in stage 2 COVID-19 starts as the kind of opacity that stage 1 learnt."""
    network = start_classifier(config.init)
    if config.stage == 2 and not config.continues:
        covid, opacity = FINDINGS.index(Finding.COVID19), FINDINGS.index(Finding.LUNG_OPACITY)
        with torch.no_grad():
            network.cam.weight[covid] = network.cam.weight[opacity]
            network.bias[covid] = network.bias[opacity]
    freeze(network, config.frozen_blocks)
    return network


def main(run: Run) -> None:
    """Trains one stage until done; the best weights lie in the run's folder."""
    config = run.config
    train = examples(run.records, "train", power=config.source_power)
    if config.same_source_share:
        train = favour_same_source(run.records, train, config.same_source_share)
    val = examples(run.records, "val", power=config.source_power)
    counts = np.bincount(train.targets).tolist()
    weights = losses.class_weights(counts).to(run.device) if config.weighted_loss else None
    engine.fit(
        open_trainer(run, start_stage),
        lambda epoch: train_batches(run.pixels, train, config, epoch=epoch),
        partial(stage_loss, config=config, weights=weights),
        lambda network: validation_loss(run, network, val),
        keeper(run, NAME),
        run.folder,
    )


if __name__ == "__main__":
    main(open_run(__doc__, CONFIG))
