"""Augmentation varies what it says, by as much as it says, and repeats itself on demand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.phantoms import phantom
from training.augment import Augmentation, augment

IMAGES = torch.from_numpy(np.array(phantom(64, 64))).expand(8, 1, 64, 64)
EVERYTHING = Augmentation(
    flip=True,
    rotation=10,
    zoom=(0.9, 1.3),
    shift=0.1,
    brightness=0.2,
    contrast=0.3,
    gamma=0.5,
    top_occlusion=0.5,
    erasing=0.5,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_no_augmentation_changes_nothing() -> None:
    found = augment(IMAGES, Augmentation(), seeded())

    assert torch.allclose(found, IMAGES.float(), atol=1e-2)


def test_everything_stays_in_range_and_shape() -> None:
    found = augment(IMAGES, EVERYTHING, seeded())

    assert found.shape == IMAGES.shape
    assert found.dtype == torch.float32
    assert found.min() >= 0
    assert found.max() <= 255


def test_same_seed_same_pictures() -> None:
    first = augment(IMAGES, EVERYTHING, seeded(1))

    assert torch.equal(first, augment(IMAGES, EVERYTHING, seeded(1)))
    assert not torch.equal(first, augment(IMAGES, EVERYTHING, seeded(2)))


def test_pictures_of_a_batch_vary_apart() -> None:
    found = augment(IMAGES, EVERYTHING, seeded())

    assert len({tuple(image.flatten().tolist()) for image in found}) == len(IMAGES)


def test_flip_is_an_exact_mirror() -> None:
    found = augment(IMAGES, Augmentation(flip=True), seeded())

    mirrored = IMAGES.float().flip(-1)
    kinds = [torch.allclose(image, mirrored[0], atol=0.05) for image in found]
    assert any(kinds)
    assert not all(kinds)


@pytest.mark.parametrize("zoom", [0.8, 1.25])
def test_zoom_above_one_is_closer(zoom: float) -> None:
    disc = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
    disc[..., 22:42, 22:42] = 255

    found = augment(disc, Augmentation(zoom=(zoom, zoom)), seeded())

    assert (found > 127).sum().item() == pytest.approx(400 * zoom**2, rel=0.1)


def test_top_occlusion_blackens_the_top_only() -> None:
    bright = torch.full((1, 1, 64, 64), 200, dtype=torch.uint8)

    found = augment(bright, replace(Augmentation(), top_occlusion=1.0), seeded())

    assert found[0, 0, 0].max() == 0
    assert found[0, 0, 11:].min() > 199


def test_a_window_keeps_the_scale_and_lies_inside() -> None:
    disc = torch.full((16, 1, 64, 64), 50, dtype=torch.uint8)
    disc[..., 22:42, 22:42] = 255

    found = augment(disc, Augmentation(crop=0.75), seeded())

    assert found.shape == (16, 1, 48, 48)
    assert found.min() > 49  # nothing from outside the picture
    for area in (found > 150).sum(dim=(1, 2, 3)).tolist():
        assert area == pytest.approx(400, abs=21)
    corners = {tuple((image[0] > 150).nonzero()[0].tolist()) for image in found}
    assert len(corners) > 8  # the window moves
