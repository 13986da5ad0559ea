"""Synthetic images without content, for the filter to reject."""

import numpy as np
import numpy.typing as npt

from chestxray.preprocessing import SIZE


def make(count: int, generator: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Returns uint8 (count, SIZE, SIZE), cycling through the kinds."""
    makers = (_flat, _noise, _gradient, _stripes, _blocks)
    pictures = [makers[i % len(makers)](generator) for i in range(count)]
    return np.stack([np.clip(p, 0, 255).astype(np.uint8) for p in pictures])


def _flat(generator: np.random.Generator) -> npt.NDArray[np.float64]:
    return np.full((SIZE, SIZE), generator.uniform(0, 255))


def _noise(generator: np.random.Generator) -> npt.NDArray[np.float64]:
    return generator.normal(generator.uniform(60, 200), generator.uniform(5, 80), (SIZE, SIZE))


def _gradient(generator: np.random.Generator) -> npt.NDArray[np.float64]:
    rows, columns = np.mgrid[0 : 1 : SIZE * 1j, 0 : 1 : SIZE * 1j]
    angle = generator.uniform(0, 2 * np.pi)
    return np.asarray(127 + 180 * (np.cos(angle) * (rows - 0.5) + np.sin(angle) * (columns - 0.5)))


def _stripes(generator: np.random.Generator) -> npt.NDArray[np.float64]:
    rows, columns = np.mgrid[0:SIZE, 0:SIZE]
    angle, period = generator.uniform(0, np.pi), generator.uniform(4, 80)
    wave = np.sin(2 * np.pi * (np.cos(angle) * rows + np.sin(angle) * columns) / period)
    return np.asarray(127 + generator.uniform(20, 127) * wave)


def _blocks(generator: np.random.Generator) -> npt.NDArray[np.float64]:
    side = int(generator.integers(3, 12))
    coarse = generator.uniform(0, 255, (side, side))
    blocks = np.kron(coarse, np.ones((SIZE // side + 1,) * 2))
    return np.asarray(blocks[:SIZE, :SIZE], np.float64)
