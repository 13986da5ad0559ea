"""Trains one stage of the classifier; stage 2 starts from the best weights of stage 1.

    python -m training.train_classifier --config training/configs/classifier_stage1.toml
    python -m training.train_classifier --config training/configs/classifier_stage2.toml
    python -m training.train_classifier --config training/configs/classifier_longer.toml

Stage 1 separates no finding from opacity, with COVID-19 as opacity; stage 2 separates all three
(paper, 2.2). Classes are sampled equally often, so COVID-19 is oversampled.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from chestxray import checkpoints
from chestxray.labels import FINDINGS, Finding
from chestxray.networks import CovidClassifierNet
from training import engine, feature_distillation, losses, regions, supervision
from training.calibration import fit_biases, fit_temperature
from training.config import TrainConfig
from training.datasets.curated import INDETERMINATE, SAME_SOURCE
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
from training.feature_distillation import FeatureDistillationNet
from training.initial_weights import build_classifier, freeze_classifier
from training.run import Run, checkpoint_saver, open_run, open_trainer
from training.supervision import MultiTaskClassifier

NAME = "covid_classifier"
CONFIG = Path(__file__).parent / "configs" / "classifier_stage2.toml"

STAGE_1_CLASSES = 2
"""Outputs of the head that stage 1 trains: no finding and opacity."""
_COVID, _OPACITY = FINDINGS.index(Finding.COVID19), FINDINGS.index(Finding.LUNG_OPACITY)


def examples(records: Sequence[Record], split: str, *, power: float) -> Examples:
    """Examples of the split; classes have equal weight, sources weigh by size ** power."""
    sources = sorted({r.dataset for r in records})
    parts = []
    for target, finding in enumerate(FINDINGS):
        rows = [i for i, r in enumerate(records) if r.split == split and r.label == finding]
        found = [records[i] for i in rows]
        part = of_one_target(rows, target, source_weights(found, power))
        source = np.array([sources.index(r.dataset) for r in found], np.int64)
        parts.append(replace(part, groups=target * len(sources) + source))
    return join(parts)


def reweight_same_source(records: Sequence[Record], examples: Examples, share: float) -> Examples:
    """Gives the source with all classes this share of the draws of every class."""
    same = is_same_source(records, examples)
    cells = examples.targets * 2 + same
    wanted = np.where(same, share, 1 - share) / np.bincount(cells, examples.weights)[cells]
    return replace(examples, weights=examples.weights * wanted)


def is_same_source(records: Sequence[Record], examples: Examples) -> np.ndarray:
    """Returns bool (N,): which examples are of the source that has all classes."""
    return np.array([records[row].dataset == SAME_SOURCE for row in examples.rows])


def validation_weights(records: Sequence[Record], examples: Examples) -> np.ndarray:
    """Half of the weight for the source with all classes, half for the others; classes equal in
    each.

    Otherwise the validation loss would reward recognising the source.
    """
    cells = examples.targets * 2 + is_same_source(records, examples)
    return np.asarray(1 / np.bincount(cells)[cells])


def merge_opacity(targets: Tensor) -> Tensor:
    """Relabels COVID-19 as lung opacity."""
    return targets.masked_fill(targets == _COVID, _OPACITY)


def stage_loss(
    network: nn.Module,
    batch: Batch,
    *,
    config: TrainConfig,
    weights: Tensor | None,
    teachers: Sequence[nn.Module] = (),
    features: Tensor | None = None,
) -> Step:
    """The configured loss over the outputs that the stage trains (paper, 4.2)."""
    output = network(batch.images)
    logits, targets = output.logits, batch.targets
    if config.stage == 1:
        logits, targets = logits[:, :STAGE_1_CLASSES], merge_opacity(targets)
    per_item = {"cross_entropy": losses.smooth_cross_entropy, "paper": losses.paper_cross_entropy}
    each = per_item[config.loss](logits, targets, smoothing=config.label_smoothing, weights=weights)
    if teachers:
        soft_targets = teacher_probabilities(teachers, batch.images)
        each = losses.distillation_loss(each, logits, soft_targets, share=config.distillation)
    if features is not None:
        each = each + config.guide * feature_distillation.cosine_distance(
            output.features, features[batch.rows]
        )
    loss = losses.group_mean(each, batch.groups, robust=config.group_robust)
    return Step(loss, logits.argmax(dim=1) == targets)


@torch.no_grad()
def teacher_probabilities(teachers: Sequence[nn.Module], images: Tensor) -> Tensor:
    """Returns the ensemble's mean probabilities (B, 3) for the images of the batch."""
    return torch.stack([t(images).logits.softmax(dim=1) for t in teachers]).mean(dim=0)


def load_teachers(config: TrainConfig, device: torch.device) -> list[nn.Module]:
    """Loads the ensemble to distil from. Raises CheckpointError."""
    networks = [checkpoints.load(Path(t), CovidClassifierNet()) for t in config.teachers]
    return [network.eval().to(device) for network in networks]


def validate(run: Run, network: nn.Module, val: Examples) -> Validation:
    """Cross-entropy and accuracy under `validation_weights`, of calibrated scores as served.

    Without calibration, the loss would also measure overconfidence and class bias, which are
    corrected later anyway (classifier_evaluation.fit_and_evaluate).
    """
    batches = eval_batches(run.pixels, val, size=run.config.size)
    logits = engine.predict(network, batches, run.device)
    targets = torch.from_numpy(val.targets)
    if run.config.stage == 1:
        logits, targets = logits[:, :STAGE_1_CLASSES], merge_opacity(targets)
    weights = validation_weights(run.records, val)
    shared = logits + torch.tensor(fit_biases(logits, targets, weights))
    each = nn.functional.cross_entropy(
        shared / fit_temperature(shared, targets), targets, reduction="none"
    )
    hits = shared.argmax(dim=1) == targets
    return Validation(*(float(np.average(x, weights=weights)) for x in (each, hits)))


def build_network(
    config: TrainConfig,
) -> CovidClassifierNet | FeatureDistillationNet | MultiTaskClassifier:
    """Builds the network; in stage 2 the COVID-19 output starts as a copy of stage 1's opacity
    output.
    """
    network = build_classifier(config.init)
    if config.stage == 2 and not config.continues:
        with torch.no_grad():
            network.cam.weight[_COVID] = network.cam.weight[_OPACITY]
            network.bias[_COVID] = network.bias[_OPACITY]
    freeze_classifier(network, config.frozen_blocks)
    if config.loss == "supervised":
        return MultiTaskClassifier(network)
    return FeatureDistillationNet(network) if config.guide else network


def training_examples(run: Run) -> Examples:
    """Training examples, each sampled as often as its weight says."""
    train = examples(run.records, "train", power=run.config.source_power)
    if run.config.same_source_share:
        train = reweight_same_source(run.records, train, run.config.same_source_share)
    if run.config.abnormal_share:
        train = join([train, abnormal_examples(run.records, train, run.config.abnormal_share)])
    return train


def abnormal_examples(records: Sequence[Record], train: Examples, share: float) -> Examples:
    """Training images only known to be abnormal, as a share of all draws."""
    rows = [i for i, r in enumerate(records) if r.split == "train" and r.label == INDETERMINATE]
    weight = train.weights.sum() * share / (1 - share) / len(rows)
    return of_one_target(rows, _OPACITY, np.full(len(rows), weight))


def main(run: Run) -> None:
    """Trains one stage to completion; the best weights are in the run's folder."""
    config, train = run.config, training_examples(run)
    val = examples(run.records, "val", power=config.source_power)
    save_weights = checkpoint_saver(run, NAME)
    maps = regions.open_regions(run.records, run.cache) if config.map_weight else None
    engine.fit(
        open_trainer(run, build_network),
        lambda epoch: train_batches(
            run.pixels,
            train,
            config,
            epoch=epoch,
            device=run.device,
            process_group=run.process_group,
            maps=maps,
        ),
        build_loss(run, train),
        lambda network: validate(run, network, val),
        lambda network: save_weights(
            network.network
            if isinstance(network, FeatureDistillationNet | MultiTaskClassifier)
            else network
        ),
        run.folder,
    )


def build_loss(run: Run, train: Examples) -> engine.Loss:
    """The run's loss: with class weights, distillation, or auxiliary supervision."""
    if run.config.loss == "supervised":
        labels = supervision.soft_labels(run.records, run.config)
        return partial(supervision.loss, config=run.config, labels=labels)
    return partial(
        stage_loss,
        config=run.config,
        weights=loss_weights(run.config, train, run.device),
        teachers=load_teachers(run.config, run.device),
        features=load_features(run),
    )


def load_features(run: Run) -> Tensor | None:
    """Auxiliary targets by row of the pixel cache. Raises FileNotFoundError."""
    if not run.config.guide:
        return None
    return torch.from_numpy(
        feature_distillation.open_features(run.records, run.pixels, run.folder)
    ).to(run.device)


def loss_weights(config: TrainConfig, train: Examples, device: torch.device) -> Tensor | None:
    """Class weights by number of images (paper, equation 1), if configured."""
    if not config.weighted_loss:
        return None
    targets = torch.from_numpy(train.targets)
    counted = merge_opacity(targets) if config.stage == 1 else targets
    counts = counted.bincount(minlength=STAGE_1_CLASSES if config.stage == 1 else len(FINDINGS))
    return losses.class_weights(counts.tolist(), rule=config.weight_rule).to(device)


if __name__ == "__main__":
    main(open_run(__doc__, CONFIG))
