"""Augmentation varies images by the configured amounts and is reproducible."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.phantoms import phantom
from training.augment import Augmentation, augment, augment_together

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
ON_THE_WAY = Augmentation(border=0.5, letters=0.5, noise=0.05, blur=0.5, quality=0.5)
KINDS = {
    "border": Augmentation(border=1.0),
    "letters": Augmentation(letters=1.0),
    "noise": Augmentation(noise=0.1),
    "blur": Augmentation(blur=1.0),
    "quality": Augmentation(quality=1.0),
}
GREY = torch.full((64, 1, 64, 64), 128, dtype=torch.uint8)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_augmentation_without_options_returns_the_images() -> None:
    found = augment(IMAGES, Augmentation(), seeded())

    assert torch.allclose(found, IMAGES.float(), atol=1e-2)


@pytest.mark.parametrize("how", [EVERYTHING, ON_THE_WAY, *KINDS.values()])
def test_augmented_images_keep_range_and_shape(how: Augmentation) -> None:
    found = augment(IMAGES, how, seeded())

    assert found.shape == IMAGES.shape
    assert found.dtype == torch.float32
    assert found.min() >= 0
    assert found.max() <= 255


@pytest.mark.parametrize("how", [EVERYTHING, ON_THE_WAY, *KINDS.values()])
def test_same_seed_gives_the_same_images(how: Augmentation) -> None:
    first = augment(IMAGES, how, seeded(1))

    assert torch.equal(first, augment(IMAGES, how, seeded(1)))
    assert not torch.equal(first, augment(IMAGES, how, seeded(2)))


def test_disabled_augmentations_draw_no_random_numbers() -> None:
    """The images of a published configuration, from before more kinds were added."""
    generator, counted = seeded(), seeded()

    found = augment(IMAGES, EVERYTHING, generator)

    for _ in range(18):
        torch.rand(len(IMAGES), generator=counted)
    assert torch.equal(generator.get_state(), counted.get_state())
    means = [66.5, 105.3, 130.5, 155.5, 94.3, 87.3, 126.5, 65.4]
    assert found.mean(dim=(1, 2, 3)).tolist() == pytest.approx(means, abs=0.2)


def test_images_of_a_batch_are_augmented_independently() -> None:
    found = augment(IMAGES, EVERYTHING, seeded())

    assert len({tuple(image.flatten().tolist()) for image in found}) == len(IMAGES)


def test_flip_mirrors_the_image_exactly() -> None:
    found = augment(IMAGES, Augmentation(flip=True), seeded())

    mirrored = IMAGES.float().flip(-1)
    kinds = [torch.allclose(image, mirrored[0], atol=0.05) for image in found]
    assert any(kinds)
    assert not all(kinds)


@pytest.mark.parametrize("zoom", [0.8, 1.25])
def test_zoom_above_one_enlarges_the_image(zoom: float) -> None:
    disc = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
    disc[..., 22:42, 22:42] = 255

    found = augment(disc, Augmentation(zoom=(zoom, zoom)), seeded())

    assert (found > 127).sum().item() == pytest.approx(400 * zoom**2, rel=0.1)


def test_top_occlusion_blackens_only_the_top() -> None:
    bright = torch.full((1, 1, 64, 64), 200, dtype=torch.uint8)

    found = augment(bright, replace(Augmentation(), top_occlusion=1.0), seeded())

    assert found[0, 0, 0].max() == 0
    assert found[0, 0, 11:].min() > 199


def test_crop_keeps_the_scale_and_lies_inside_the_image() -> None:
    disc = torch.full((16, 1, 64, 64), 50, dtype=torch.uint8)
    disc[..., 22:42, 22:42] = 255

    found = augment(disc, Augmentation(crop=0.75), seeded())

    assert found.shape == (16, 1, 48, 48)
    assert found.min() > 49  # nothing from outside the picture
    for area in (found > 150).sum(dim=(1, 2, 3)).tolist():
        assert area == pytest.approx(400, abs=21)
    corners = {tuple((image[0] > 150).nonzero()[0].tolist()) for image in found}
    assert len(corners) > 8  # the window moves


@pytest.mark.parametrize("kind", ["letters", "noise", "blur", "quality"])
def test_degradation_does_not_move_regions(kind: str) -> None:
    regions = IMAGES[..., ::4, ::4]

    found, moved = augment_together(IMAGES, regions, KINDS[kind], seeded())

    difference = (found - IMAGES).abs().mean(dim=(1, 2, 3))
    assert torch.allclose(moved, regions.float(), atol=1e-2)
    assert difference.min() > 0.1
    assert difference.max() < 25


@pytest.mark.parametrize("kind", ["noise", "blur", "quality"])
def test_degradation_keeps_the_mean_brightness(kind: str) -> None:
    found = augment(IMAGES, KINDS[kind], seeded())

    shift = found.mean(dim=(1, 2, 3)) - IMAGES.float().mean(dim=(1, 2, 3))
    assert shift.abs().max() < 1.5


@pytest.mark.parametrize("kind", ["border", "letters", "blur", "quality"])
def test_probability_is_the_share_of_augmented_images(kind: str) -> None:
    images = IMAGES[:1].expand(200, 1, 64, 64)

    found = augment(images, replace(Augmentation(), **{kind: 0.3}), seeded())

    changed = (found - images).abs().amax(dim=(1, 2, 3)) > 2
    assert changed.float().mean().item() == pytest.approx(0.3, abs=0.1)
    assert torch.allclose(found[~changed], images[~changed].float(), atol=1e-2)


def test_border_has_one_grey_level_and_a_width_within_its_range() -> None:
    films, everywhere = GREY - 28, torch.ones_like(GREY)  # the film is 100, and a region

    found, moved = augment_together(films, everywhere, KINDS["border"], seeded())

    levels = set()
    for image, region in zip(found[:, 0], moved[:, 0], strict=True):
        inside = region > 0
        rows, columns = inside.any(dim=1).nonzero(), inside.any(dim=0).nonzero()
        for margin in (rows[0], 63 - rows[-1], columns[0], 63 - columns[-1]):
            assert 0.03 * 64 - 1 < margin < 0.15 * 64 + 1
        assert image[inside].sub(100).abs().max() < 0.1  # no dark line where the film ends
        assert image[~inside].min() == image[~inside].max()
        levels.add(round(image[0, 0].item()))
    assert {0, 255} < levels
    assert len(levels) > 10


@pytest.mark.parametrize("how", [KINDS["border"], replace(EVERYTHING, border=1.0, erasing=0)])
def test_regions_move_with_the_image_inside_a_border(how: Augmentation) -> None:
    images = torch.full((32, 1, 64, 64), 60, dtype=torch.uint8)
    images[..., 36:52, 8:28] = 220
    films = replace(how, brightness=0, contrast=0, gamma=0, top_occlusion=0)

    found, moved = augment_together(images, images, films, seeded())

    shown = moved > 0
    assert torch.allclose(found[shown], moved[shown], atol=1e-2)
    assert (moved[:, :, :1] == 0).all()
    assert (moved[..., -1] == 0).all()


def test_border_contains_the_whole_image_at_a_smaller_scale() -> None:
    images = torch.full((32, 1, 64, 64), 200, dtype=torch.uint8)
    images[..., 16:48, 16:48] = 100

    _, moved = augment_together(images, images, KINDS["border"], seeded())

    core = (moved > 0) & (moved < 150)
    share = core.sum(dim=(1, 2, 3)) / (moved > 0).sum(dim=(1, 2, 3))
    assert share.min() > 0.2
    assert share.max() < 0.32


def test_letters_are_drawn_at_the_top_or_a_side() -> None:
    found = augment(GREY, KINDS["letters"], seeded())

    ink = (found - GREY).abs()[:, 0] > 4
    tall = ink.any(dim=2).sum(dim=1)
    top, left = ink[:, :16].flatten(1).sum(dim=1), ink[..., :8].flatten(1).sum(dim=1)
    right, total = ink[..., -8:].flatten(1).sum(dim=1), ink.flatten(1).sum(dim=1)
    assert tall.max() <= 64 / 9 + 1
    assert tall.min() >= 2
    assert ((top == total) | (left > 0) | (right > 0)).all()
    for part in (top == total, left > 0, right > 0):
        assert 10 < part.sum() < 54
    assert total.max() < 0.1 * 64 * 64


def test_three_in_four_letters_are_bright() -> None:
    change = (augment(GREY, KINDS["letters"], seeded()) - GREY).mean(dim=(1, 2, 3))

    assert (change > 0).float().mean().item() == pytest.approx(0.75, abs=0.12)
    assert (change < 0).any()


def test_noise_strength_is_at_most_the_configured_one() -> None:
    deviations = augment(GREY, KINDS["noise"], seeded()).std(dim=(1, 2, 3))

    assert 0.9 * 25.5 < deviations.max() < 1.05 * 25.5
    assert deviations.min() < 3
    assert deviations.mean().item() == pytest.approx(12.75, abs=2.5)
