"""A heatmap cell is drawn over the part of the image that it represents."""

import io

import numpy as np
import pytest
from PIL import Image

from chestxray.cam import overlay, upsample


@pytest.mark.parametrize("cell", [(0, 0), (3, 10), (13, 13), (7, 0)])
@pytest.mark.parametrize("size", [(224, 224), (640, 480)])
def test_peak_of_the_upsampled_map_lies_in_its_cell(
    cell: tuple[int, int], size: tuple[int, int]
) -> None:
    grid = np.zeros((14, 14), np.float32)
    grid[cell] = 1

    found = upsample(grid, size=size)

    width, height = size
    assert found.shape == (height, width)
    rows, columns = np.nonzero(found > 0.9 * found.max())
    assert abs(rows.mean() / height - (cell[0] + 0.5) / 14) < 0.5 / 14
    assert abs(columns.mean() / width - (cell[1] + 0.5) / 14) < 0.5 / 14


def test_overlay_colours_only_positive_cells() -> None:
    grid = np.full((14, 14), -1, np.float32)
    grid[2, 2] = 5
    picture = Image.fromarray(np.full((280, 280), 100, np.uint8))

    drawn = np.asarray(Image.open(io.BytesIO(overlay(picture, grid)))).astype(int)

    assert drawn.shape == (280, 280, 3)
    assert np.ptp(drawn[50, 50]) > 50
    assert np.array_equal(drawn[250, 250], [100, 100, 100])


def test_overlay_of_a_zero_map_is_the_unchanged_image() -> None:
    picture = Image.fromarray(np.full((50, 60), 100, np.uint8))

    drawn = np.asarray(Image.open(io.BytesIO(overlay(picture, np.zeros((14, 14), np.float32)))))

    assert np.all(drawn == 100)
