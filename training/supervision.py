"""Auxiliary supervision from readers: regions, appearance, and label confidence.

Boxes and masks supervise the map, the study classes of SIIM-FISABIO-RSNA a head that is not
shipped, and labels that no radiologist gave have less weight.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from chestxray.labels import FINDINGS, Finding
from chestxray.networks import CovidClassifierNet
from training import losses
from training.config import TrainConfig
from training.datasets.curated import INDETERMINATE
from training.datasets.records import Record
from training.engine import Step
from training.examples import Batch

APPEARANCES = ("negative", "typical", "indeterminate", "atypical")
"""Study classes of the challenge."""
_UNKNOWN = -1
_NORMAL, _ABNORMAL = FINDINGS.index(Finding.NO_FINDING), len(FINDINGS)


class MultiTaskOutput(NamedTuple):
    """Outputs of the network in training."""

    logits: Tensor  # (B, 3)
    cam: Tensor  # (B, 3, h, w)
    bias: Tensor  # (3,)
    appearance: Tensor  # (B, 4)


class MultiTaskClassifier(nn.Module):
    """The classifier with the auxiliary head."""

    def __init__(self, network: CovidClassifierNet) -> None:
        super().__init__()
        self.network = network
        self.appearance = nn.Linear(network.width, len(APPEARANCES))

    def forward(self, images: Tensor) -> MultiTaskOutput:
        """Runs images (B, 1, H, W)."""
        output = self.network(images)
        appearance = self.appearance(output.embedding)
        return MultiTaskOutput(output.logits, output.cam, self.network.bias, appearance)


class Labels(NamedTuple):
    """Targets by row of the pixel cache."""

    probabilities: (
        Tensor  # (N, 4): probabilities of the classes, and of being abnormal without a known class
    )
    appearance: Tensor  # int64 (N,): index into APPEARANCES, or -1


def soft_labels(records: Sequence[Record], config: TrainConfig) -> Labels:
    """Smooths labels: all by `label_smoothing`, those that are not confirmed to `weak_share`."""
    probabilities = torch.zeros(len(records), _ABNORMAL + 1)
    appearance = torch.full((len(records),), _UNKNOWN)
    for row, record in enumerate(records):
        if record.appearance in APPEARANCES:
            appearance[row] = APPEARANCES.index(record.appearance)
        if record.label == INDETERMINATE:
            probabilities[row, _ABNORMAL] = 1
        elif record.label in FINDINGS:
            confidence = 1.0 if record.confirmed else config.weak_share
            probabilities[row, _NORMAL] = 1 - confidence
            probabilities[row, FINDINGS.index(record.label)] += confidence
    smooth = config.label_smoothing
    even = torch.cat([torch.full((len(FINDINGS),), 1 / len(FINDINGS)), torch.zeros(1)])
    return Labels(probabilities * (1 - smooth) + smooth * even, appearance)


def loss(network: nn.Module, batch: Batch, *, config: TrainConfig, labels: Labels) -> Step:
    """Weighted sum of the losses of classes, map and appearance."""
    outputs = network(batch.images)
    probabilities, appearance = (part.to(outputs.logits.device)[batch.rows] for part in labels)
    each = losses.set_cross_entropy(outputs.logits, probabilities)
    if config.map_weight:
        of_map = losses.map_loss(outputs.cam, outputs.bias, batch.regions, rule=config.map_rule)
        each = each + config.map_weight * of_map
    of_appearance = nn.functional.cross_entropy(
        outputs.appearance, appearance, ignore_index=_UNKNOWN, reduction="none"
    )
    each = each + config.appearance_weight * of_appearance
    return Step(each.mean(), outputs.logits.argmax(dim=1) == batch.targets)
