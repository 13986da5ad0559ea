"""Images derived from radiographs by code: negatives, and images with more or less than one
radiograph.

A derived image has the split of its sources, so nothing of a test image leaks into training. Images
that the service crops by itself (`chestxray/film.py`) are not made here: these are for the filter
to reject.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from chestxray.labels import FINDINGS
from chestxray.preprocessing import SIZE
from training.cache import Pixels
from training.datasets.records import Record

INVERTED, TWO_FILMS, PART_OF_PAGE, PHOTO_OF_SCREEN = (
    "inverted",
    "two_films",
    "part_of_page",
    "photo_of_screen",
)
"""Labels of derived images."""

_NO_FILMS = ("lateral_cxr", "other_xray", "ct", "natural")
_SHARE = 1 / 4
"""Number of composites of each kind, relative to the images of a split."""
_FLOAT = npt.NDArray[np.float32]


def extend(
    pixels: Pixels, records: Sequence[Record], *, seed: int = 0
) -> tuple[Pixels, list[Record]]:
    """Appends the derived images to uint8 (N, SIZE, SIZE), and their records to the records."""
    generator = np.random.default_rng(seed)
    films = [i for i, r in enumerate(records) if r.label in FINDINGS and r.split]
    made: list[npt.NDArray[np.uint8]] = [255 - pixels[i] for i in films]
    added = [replace(records[i], label=INVERTED) for i in films]
    for split in sorted({records[i].split for i in films}):
        own = [i for i in films if records[i].split == split]
        others = [i for i, r in enumerate(records) if r.split == split and r.label == "lateral_cxr"]
        if split == "train":  # an inverted hand still counts as a hand
            rest = [i for i, r in enumerate(records) if r.split == split and r.label in _NO_FILMS]
            made += [255 - pixels[i] for i in rest]
            added += [records[i] for i in rest]
        for label, make in MAKERS.items():
            chosen = generator.choice(own, max(1, round(_SHARE * len(own))), replace=False)
            for i in chosen:
                beside = generator.choice(others if others and generator.random() < 0.3 else own)
                made.append(make(pixels[i], pixels[beside], generator))
                added.append(replace(records[i], label=label))
    return np.concatenate([pixels, np.stack(made)]), [*records, *added]


def _resized(film: Pixels, width: int, height: int) -> Pixels:
    size = max(1, width), max(1, height)
    return np.asarray(Image.fromarray(film).resize(size, Image.Resampling.BILINEAR))


def two_films(film: Pixels, beside: Pixels, generator: np.random.Generator) -> Pixels:
    """Two radiographs side by side or one above the other, with or without a gap."""
    if generator.random() < 0.2:
        beside = film if generator.random() < 0.5 else film[:, ::-1]
    gap = int(generator.choice([0, 0, 1, 2, 4, 8, 14]))
    first = int(SIZE * generator.uniform(0.38, 0.62))
    canvas = np.full((SIZE, SIZE), generator.choice([0, 0, 128, 255]), np.uint8)
    canvas[:, :first] = _resized(film, first, SIZE)
    canvas[:, first + gap :] = _resized(beside, SIZE - first - gap, SIZE)
    if generator.random() < 0.2:
        return canvas.T if generator.random() < 0.2 else _stacked(film, beside, first, gap)
    return canvas


def _stacked(film: Pixels, beside: Pixels, first: int, gap: int) -> Pixels:
    canvas = np.zeros((SIZE, SIZE), np.uint8)
    canvas[:first] = _resized(film, SIZE, first)
    canvas[first + gap :] = _resized(beside, SIZE, SIZE - first - gap)
    return canvas


def part_of_page(film: Pixels, beside: Pixels, generator: np.random.Generator) -> Pixels:
    """A radiograph that covers the smaller part of a page, a slide or a viewer window, with
    text.
    """
    level, noise = generator.choice([0, 30, 128, 235, 255]), generator.uniform(0, 8)
    page = Image.fromarray(_noisy(np.full((SIZE, SIZE), level, np.float32), noise, generator))
    pen = ImageDraw.Draw(page)
    for _ in range(int(generator.integers(0, 14))):
        left, top = generator.integers(0, SIZE, 2)
        right = int(left + generator.integers(4, 70))
        ink = int(generator.choice([0, 90, 160, 255]))
        pen.rectangle([left, top, right, top + int(generator.integers(1, 9))], fill=ink)
    for _ in range(int(generator.integers(0, 4))):  # thumbnails
        side = int(generator.integers(14, 44))
        left, top = (int(v) for v in generator.integers(0, SIZE - side, 2))
        page.paste(Image.fromarray(_resized(beside, side, side)), (left, top))
    width, height = (int(SIZE * generator.uniform(0.3, 0.78)) for _ in range(2))
    left = int(generator.integers(0, SIZE - width))
    top = int(generator.integers(0, SIZE - height))
    page.paste(Image.fromarray(_resized(film, width, height)), (left, top))
    return np.asarray(page)


def photo_of_screen(film: Pixels, beside: Pixels, generator: np.random.Generator) -> Pixels:
    """A photograph of a screen or light box: skewed, with its bezel, glare, moiré and noise."""
    corners = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
    rim = generator.uniform(0.04, 0.22, 4)[:, None] * np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
    skew = generator.uniform(-0.05, 0.05, (4, 2))
    rows, columns = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    inside = _warped(np.full((SIZE, SIZE), 255, np.uint8), corners + rim + skew) / 255
    shown = _warped(film, corners + rim + skew)
    waves = sum(
        np.sin(2 * np.pi * (columns * np.cos(a) + rows * np.sin(a)) / generator.uniform(2.5, 40))
        for a in generator.uniform(0, np.pi, 2)
    )
    picture = shown + generator.uniform(0, 14) * waves * inside
    picture = picture * generator.uniform(0.6, 1) + generator.uniform(0, 60) * (1 - inside)
    x, y = generator.uniform(0, SIZE, 2)
    distance = (columns - x) ** 2 + (rows - y) ** 2
    glare = np.exp(-distance / (2 * generator.uniform(10, 60) ** 2))
    picture = picture + generator.uniform(0, 130) * glare
    return _noisy(picture.astype(np.float32), generator.uniform(0, 9), generator)


def _warped(picture: Pixels, corners: npt.NDArray[np.float64]) -> _FLOAT:
    """Draws a square image with its corners at the given positions, as shares of the side; black
    around it.
    """
    x, y = (corners * SIZE).T
    left, top = np.array([(0, 0), (SIZE, 0), (SIZE, SIZE), (0, SIZE)], float).T
    equations = [(a, b, 1, 0, 0, 0, -u * a, -u * b) for a, b, u in zip(x, y, left, strict=True)]
    equations += [(0, 0, 0, a, b, 1, -v * a, -v * b) for a, b, v in zip(x, y, top, strict=True)]
    solved = np.linalg.solve(np.array(equations), np.concatenate([left, top]))
    image = Image.fromarray(picture).transform(
        (SIZE, SIZE), Image.Transform.PERSPECTIVE, tuple(solved), Image.Resampling.BILINEAR
    )
    return np.asarray(image, np.float32)


def _noisy(picture: _FLOAT, sigma: float, generator: np.random.Generator) -> Pixels:
    noise = generator.normal(0, sigma, picture.shape) if sigma else 0
    return np.asarray(np.clip(picture + noise, 0, 255), np.uint8)


MAKERS: dict[str, Callable[[Pixels, Pixels, np.random.Generator], Pixels]] = {
    TWO_FILMS: two_films,
    PART_OF_PAGE: part_of_page,
    PHOTO_OF_SCREEN: photo_of_screen,
}
