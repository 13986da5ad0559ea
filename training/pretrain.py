"""Self-supervised pretraining of the classifier's blocks on all chest images of the training split.

    python -m training.pretrain

Barlow Twins (Zbontar et al. 2021, arXiv:2103.03230): the embeddings of two augmentations of an
image should agree in every feature, and different features should be uncorrelated. It needs no
large batches. Use the result with `training.train_classifier --init
file:runs/pretrained/best.safetensors`.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from chestxray.networks import CovidClassifierNet
from training import engine
from training.config import TrainConfig
from training.engine import Step, Validation
from training.examples import Batch, Examples, train_batches
from training.initial_weights import build_classifier
from training.run import Run, checkpoint_saver, open_run, open_trainer
from training.train_classifier import NAME, examples

CONFIG = Path(__file__).parent / "configs" / "pretrain.toml"

REDUNDANCY_WEIGHT = 0.005
"""Weight of the redundancy reduction term (lambda in the paper's equation 1)."""
_FEATURES = 512
_VALIDATION_EPOCH = 2**31
"""Seed offset, so that its random draws differ from any training epoch's."""


class BarlowTwinsNet(nn.Module):
    """The classifier with a projection head that only pretraining needs."""

    def __init__(self, network: CovidClassifierNet) -> None:
        super().__init__()
        self.network = network
        self.head = nn.Sequential(
            nn.Linear(network.width, _FEATURES),
            nn.BatchNorm1d(_FEATURES),
            nn.ReLU(),
            nn.Linear(_FEATURES, _FEATURES),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Returns features (B, 512)."""
        features: Tensor = self.head(self.network(images).embedding)
        return features


def barlow_twins(one: Tensor, other: Tensor) -> Tensor:
    """Barlow Twins loss of features (B, D) of two variations of the same B images (equation 1)."""
    normal = [(x - x.mean(0)) / (x.std(0) + 1e-5) for x in (one.float(), other.float())]
    correlation = normal[0].T @ normal[1] / len(one)  # (D, D)
    agreement = (correlation.diagonal() - 1).square().sum()
    redundancy = correlation.square().sum() - correlation.diagonal().square().sum()
    return agreement + REDUNDANCY_WEIGHT * redundancy


def pairs(run: Run, chosen: Examples, epoch: int) -> Iterator[Batch]:
    """Batches (2B, ...): the second half has the images of the first with different
    augmentations.
    """
    both = (
        train_batches(
            run.pixels,
            chosen,
            run.config,
            epoch=epoch,
            device=run.device,
            process_group=run.process_group,
            variation=v,
        )
        for v in (0, 1)
    )
    for one, other in zip(*both, strict=True):
        yield Batch(*(torch.cat(columns) for columns in zip(one, other, strict=True)))


def loss(network: nn.Module, batch: Batch) -> Step:
    """Counts as correct if an image's twin is the most similar of the batch."""
    one, other = network(batch.images).chunk(2)
    alike = nn.functional.normalize(one) @ nn.functional.normalize(other).T
    hits = alike.argmax(dim=1) == torch.arange(len(one), device=one.device)
    return Step(barlow_twins(one, other), hits.repeat(2))


@torch.inference_mode()
def validate(run: Run, network: nn.Module, val: Examples) -> Validation:
    """Mean loss over the validation images, with fixed augmentations."""
    network.eval()
    steps = [loss(network, batch) for batch in pairs(run, val, _VALIDATION_EPOCH)]
    hits = torch.cat([step.hits for step in steps]).float().mean()
    return Validation(float(torch.stack([step.loss for step in steps]).mean()), float(hits))


def build_network(config: TrainConfig) -> BarlowTwinsNet:
    """Adds the head to a classifier with the configured initial weights."""
    return BarlowTwinsNet(build_classifier(config.init))


def main(run: Run) -> None:
    """Pretrains to completion; the best weights are in the run's folder."""
    train, val = (examples(run.records, split, power=0.5) for split in ("train", "val"))
    save_weights = checkpoint_saver(run, NAME)
    engine.fit(
        open_trainer(run, build_network),
        lambda epoch: pairs(run, train, epoch),
        loss,
        lambda network: validate(run, network, val),
        lambda twins: save_weights(twins.network),  # type: ignore[arg-type]
        run.folder,
    )


if __name__ == "__main__":
    main(open_run(__doc__, CONFIG))
