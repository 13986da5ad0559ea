"""Supervision by boxes, masks, appearance classes and label certainty."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image

from chestxray.networks import CovidClassifierNet
from tests.phantoms import encode, phantom
from training import losses, map_evaluation, regions, supervision
from training.augment import Augmentation, augment_together
from training.config import TrainConfig
from training.datasets.records import Record, Regions
from training.examples import Batch

LEFT_HALF = (0.0, 0.0, 0.5, 1.0)
CONFIG = TrainConfig(
    name="x", version="1", init="random", epochs=1, steps_per_epoch=1, batch_size=2,
    learning_rate=1e-3, loss="supervised", weak_share=0.75, map_weight=0.5, appearance_weight=0.5,
)  # fmt: skip


@pytest.fixture
def record(tmp_path: Path) -> Record:
    path = tmp_path / "film.png"
    path.write_bytes(encode(phantom(300, 300), "PNG"))
    return Record(path, "lung_opacity", "p", "siim", "train", "s")


def test_box_is_rasterised_to_its_part_of_the_map(record: Record) -> None:
    drawn = regions.rasterise(replace(record, regions=Regions(opacities=(LEFT_HALF,))))

    half = regions.SIDE // 2
    assert (drawn[regions.OPACITIES, :, :half] == 255).all()
    assert not drawn[regions.OPACITIES, :, half + 1 :].any()
    assert not drawn[regions.LUNGS].any()


def test_box_is_rasterised_correctly_on_an_image_with_a_border(record: Record) -> None:
    bordered = np.zeros((600, 600), np.uint8)
    bordered[150:450, 300:] = phantom(300, 300)
    record.path.write_bytes(encode(bordered, "PNG"))

    drawn = regions.rasterise(replace(record, regions=Regions(lungs=(0.5, 0.25, 0.75, 0.75))))

    half = regions.SIDE // 2
    assert (drawn[regions.LUNGS, 1:-1, 1 : half - 1] > 200).all()
    assert not drawn[regions.LUNGS, :, half + 1 :].any()


def test_mask_is_rasterised(record: Record, tmp_path: Path) -> None:
    mask = np.zeros((256, 256), np.uint8)
    mask[128:] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")

    drawn = regions.rasterise(
        replace(record, regions=Regions(infection_mask=tmp_path / "mask.png"))
    )

    assert drawn[regions.OPACITIES, -1].all()
    assert not drawn[regions.OPACITIES, 0].any()


def test_regions_are_transformed_with_their_image() -> None:
    half = torch.zeros(1, 1, 56, 56)
    half[..., 28:] = 1
    picture = torch.nn.functional.interpolate(half, size=(224, 224))
    how = Augmentation(flip=True, rotation=20, zoom=(0.8, 1.3), crop=0.8)

    for seed in range(5):
        seeded = torch.Generator().manual_seed(seed)
        images, moved = augment_together((picture * 255).byte(), half, how, seeded)
        small = torch.nn.functional.adaptive_avg_pool2d(images / 255, moved.shape[-1])
        assert (small - moved).abs().mean() < 0.02


def test_unconfirmed_label_becomes_a_soft_label(record: Record) -> None:
    labels = supervision.soft_labels([record, replace(record, confirmed=False)], CONFIG)

    assert labels.probabilities.tolist() == [[0, 1, 0, 0], [0.25, 0.75, 0, 0]]


def test_indeterminate_image_is_labelled_as_abnormal_only(record: Record) -> None:
    shady = replace(record, label="indeterminate", appearance="indeterminate")
    wanted, appearance = supervision.soft_labels([shady, record], CONFIG)

    assert wanted[0].tolist() == [0, 0, 0, 1]
    assert appearance.tolist() == [2, -1]
    for logits in ([0.0, 5.0, 0.0], [0.0, 0.0, 5.0]):
        assert losses.set_cross_entropy(torch.tensor([logits]), wanted[:1]) < 0.02
    assert losses.set_cross_entropy(torch.tensor([[5.0, 0.0, 0.0]]), wanted[:1]) > 3


def test_set_loss_is_cross_entropy_for_known_classes() -> None:
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([0, 1, 2, 1, 0])
    wanted = torch.nn.functional.one_hot(targets, 4).float()

    plain = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    assert torch.allclose(losses.set_cross_entropy(logits, wanted), plain)


@pytest.mark.parametrize("rule", get_args(losses.MapRule))
def test_map_loss_raises_the_map_in_boxes_and_lowers_it_outside_lungs(rule: losses.MapRule) -> None:
    cam = torch.zeros(2, 3, 14, 14, requires_grad=True)
    drawn = torch.full((2, 2, 56, 56), -1.0)
    drawn[0, regions.OPACITIES] = 0
    drawn[0, regions.OPACITIES, :28] = 1
    drawn[1, regions.LUNGS] = 0
    drawn[1, regions.LUNGS, :28] = 1

    losses.map_loss(cam, torch.zeros(3), drawn, rule=rule).sum().backward()

    assert cam.grad is not None
    abnormal = -cam.grad[:, 1]  # what a step would add
    assert (abnormal[0, :7] > 0).all()
    assert (abnormal[0, 7:] < 0).all()
    assert (abnormal[1, :7] == 0).all()
    assert (abnormal[1, 7:] < 0).all()


@pytest.mark.parametrize("rule", get_args(losses.MapRule))
def test_map_loss_is_zero_for_an_image_without_annotations(rule: losses.MapRule) -> None:
    cam = torch.randn(1, 3, 14, 14)

    assert losses.map_loss(cam, torch.zeros(3), torch.full((1, 2, 56, 56), -1.0), rule=rule) == 0


def test_training_step_has_gradients_for_map_and_appearance(record: Record) -> None:
    network = supervision.MultiTaskClassifier(CovidClassifierNet())
    labels = supervision.soft_labels([replace(record, appearance="atypical"), record], CONFIG)
    images, drawn = torch.zeros(2, 1, 64, 64), torch.zeros(2, 2, 56, 56)
    batch = Batch(images, torch.tensor([1, 1]), torch.zeros(2), torch.tensor([0, 1]), drawn)

    supervision.loss(network, batch, config=CONFIG, labels=labels).loss.backward()  # type: ignore[no-untyped-call]

    for parameter in (network.appearance.weight, network.network.cam.weight):
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0


def test_map_metrics_reward_a_peak_inside_the_box() -> None:
    maps, covered = np.zeros((2, 14, 14)), np.zeros((2, 14, 14))
    covered[:, :7] = 1
    maps[0, 3, 3] = maps[1, 12, 3] = 5

    assert map_evaluation.pointing_game(maps, covered).tolist() == [1, 0]
    assert map_evaluation.mass_inside(maps, covered).tolist() == [1, 0]
    assert map_evaluation.iou(covered, covered).tolist() == [1, 1]
    assert np.isnan(map_evaluation.mass_inside(-maps, covered)).all()
