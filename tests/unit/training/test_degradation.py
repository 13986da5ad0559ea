"""Degradation imitates thumbnails, written marks and JPEG compression."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.phantoms import phantom
from training import degradation

CHEST = phantom(96, 96)
SCALES = (0.35, 0.5, 0.7, 0.9)
QUALITIES = (20, 35, 50, 75, 90)


def batch(pictures: list[Image.Image]) -> Tensor:
    return torch.from_numpy(np.stack([np.asarray(p, np.float32) for p in pictures])).unsqueeze(1)


def repeated_image(count: int) -> Tensor:
    return batch([Image.fromarray(CHEST)] * count)


def thumbnail(scale: float) -> Image.Image:
    side = round(96 * scale)
    small = Image.fromarray(CHEST).resize((side, side), Image.Resampling.BICUBIC)
    return small.resize((96, 96), Image.Resampling.BILINEAR)


def as_jpeg(pixels: np.ndarray, quality: int) -> Image.Image:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return Image.open(file)


def test_blur_approximates_a_thumbnail() -> None:
    images, wanted = repeated_image(4), batch([thumbnail(scale) for scale in SCALES])

    found = degradation.blur(images, torch.tensor(SCALES))

    apart = (found - wanted).abs().mean(dim=(1, 2, 3))
    assert (apart < (images - wanted).abs().mean(dim=(1, 2, 3)) / 2).all()


def test_blur_keeps_a_uniform_image_uniform() -> None:
    even = torch.full((2, 1, 20, 30), 77.0)

    found = degradation.blur(even, torch.tensor([0.35, 0.9]))

    assert torch.allclose(found, even, atol=1e-3)


@pytest.mark.parametrize(("height", "width"), [(96, 96), (50, 93)])
def test_compress_matches_jpeg_compression(height: int, width: int) -> None:
    pixels = CHEST[:height, :width]
    files = batch([as_jpeg(pixels, quality) for quality in QUALITIES])
    images = batch([Image.fromarray(pixels)] * len(QUALITIES))

    found = degradation.compress(images, torch.tensor(QUALITIES, dtype=torch.float32))

    assert found.shape == images.shape
    apart = (found - files).abs().mean(dim=(1, 2, 3))  # libjpeg computes in integers
    assert apart.max() < 0.3
    assert ((images - files).abs().mean(dim=(1, 2, 3)) > 5 * apart).all()


def test_written_mark_has_the_given_height_and_position() -> None:
    black, place = torch.zeros(3, 1, 200, 200), torch.tensor([0.0, 0.5, 1.0])

    found = degradation.draw_mark(
        black,
        which=torch.zeros(3),  # R
        height=torch.tensor([0.1, 0.2, 0.1]),
        across=place,
        down=place,
        level=torch.tensor([255.0, 100.0, 255.0]),
    )

    assert found.amax(dim=(1, 2, 3)).tolist() == pytest.approx([255, 100, 255], abs=2)
    for image, top, bottom in zip(found[:, 0], (0, 80, 180), (20, 120, 200), strict=True):
        rows, columns = (image > 20).any(dim=1).nonzero(), (image > 20).any(dim=0).nonzero()
        for seen in (rows, columns):
            assert top <= seen.min() < top + 12
            assert bottom - 12 < seen.max() <= bottom
        assert seen.max() - seen.min() < rows.max() - rows.min()
