"""The lung mask on drawn lungs and on real radiographs."""

from pathlib import Path

import numpy as np
import pytest

from tests.phantoms import phantom
from training.cache import read
from training.datasets import curated
from training.lungs import lung_mask

SIDE = 224


def drawn_lungs() -> np.ndarray:
    """The lungs that `phantom` draws, without heart and diaphragm, as bool (SIDE, SIDE)."""
    y, x = (np.mgrid[:SIDE, :SIDE] + 0.5) / SIDE
    lungs = np.zeros((SIDE, SIDE), bool)
    for centre in (0.3, 0.7):
        lungs |= np.hypot((x - centre) / 0.16, (y - 0.49) / 0.33) < 1
    heart = np.hypot((x - 0.58) / 0.16, (y - 0.65) / 0.2) < 1
    domes = [np.hypot((x - cx) / 0.19, (y - cy) / ry) < 1 for cx, cy, ry in DOMES]
    return lungs & ~heart & ~domes[0] & ~domes[1]


DOMES = ((0.29, 0.91, 0.19), (0.71, 0.925, 0.175))


def test_lung_mask_covers_the_drawn_lungs_and_little_else() -> None:
    mask, lungs = lung_mask(phantom(SIDE, SIDE)), drawn_lungs()

    assert mask.shape == (SIDE, SIDE)
    assert mask.dtype == bool
    assert mask[lungs].mean() > 0.85
    assert (mask & lungs).sum() / (mask | lungs).sum() > 0.65


def test_lung_mask_follows_moved_lungs() -> None:
    moved = np.roll(phantom(SIDE, SIDE), 20, axis=0)
    moved[:20] = 8

    rows = [np.flatnonzero(lung_mask(p).any(axis=1)).mean() for p in (phantom(SIDE, SIDE), moved)]

    assert 10 < rows[1] - rows[0] < 30


def test_lung_as_bright_as_the_chest_wall_is_found() -> None:
    picture, lungs = phantom(SIDE, SIDE), drawn_lungs()
    left = lungs & (np.arange(SIDE) < SIDE / 2)
    picture[left] = 120

    assert lung_mask(picture)[left].mean() > 0.5


@pytest.mark.parametrize("level", [0, 128, 255])
def test_blank_image_gets_lungs_at_their_usual_position(level: int) -> None:
    mask = lung_mask(np.full((SIDE, SIDE), level, np.uint8))

    assert 0.1 < mask.mean() < 0.6
    assert mask[SIDE // 2, round(0.29 * SIDE)]
    assert mask[SIDE // 2, round(0.71 * SIDE)]
    assert not mask[SIDE // 2, SIDE // 2]


def test_lung_mask_is_plausible_on_most_real_radiographs(
    data: Path, generator: np.random.Generator
) -> None:
    chests = [r.path for r in curated.load(data) if "cxr/" in str(r.path) and r.split == "test"]
    films = [read(chests[i])[0] for i in generator.permutation(len(chests))[:20]]

    shares = np.array([[half.mean() for half in np.hsplit(lung_mask(f), 2)] for f in films])

    assert np.mean((shares.mean(axis=1) > 0.1) & (shares.mean(axis=1) < 0.6)) > 0.8
    assert np.mean((shares > 0.05).all(axis=1)) > 0.8
