"""Versions of a picture that show or hide one thing: what a network lives on when it sees them.

What is hidden is filled with the mean grey of what is shown, so that the fill says nothing more.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps
from scipy import ndimage

from training.cache import Pixels
from training.lungs import Mask, lung_mask

View = Callable[[Pixels], Pixels]
"""From one picture, uint8 (H, W), to another of that shape."""

FRAME = 1 / 8
"""Of each side: 4 of 32 pixels, the border that the data's README measures; few lungs reach it."""

_BLUR = 1 / 10  # of the side: broader than consolidations; the lung's mean brightness stays
_DILATION = 1 / 28  # of the side: takes the lung's rim, whose estimate is rough, along
_MARGIN = 1 / 20  # of the side, around the lungs in a crop

_LETTER = 1 / 15  # of the side: thicker than strokes, thinner than bones and catheters are long
_LETTER_LEVEL = 140  # marks, thinned by resizing, are brighter than this
_LETTER_CONTRAST = 50  # and stand out from what they lie on by this many grey levels
_LETTER_AREA = 1 / 100  # of the picture: a larger bright component is no letter
_LETTER_HALO = 2  # pixels around a mark that resizing made grey
_LETTER_SURROUNDINGS = 6  # pixels around a mark whose median replaces it


def frame(shape: tuple[int, int]) -> Mask:
    """The outer frame of a picture, bool (H, W)."""
    height, width = shape
    top, left = round(height * FRAME), round(width * FRAME)
    outer = np.ones(shape, bool)
    outer[top : height - top, left : width - left] = False
    return outer


def as_is(picture: Pixels) -> Pixels:
    """The picture itself."""
    return picture


def border_only(picture: Pixels) -> Pixels:
    """Shows the outer frame alone."""
    return _hide(picture, ~frame(_shape(picture)))


def centre_only(picture: Pixels) -> Pixels:
    """Hides the outer frame."""
    return _hide(picture, frame(_shape(picture)))


def blurred_lungs(picture: Pixels) -> Pixels:
    """Smooths the lungs until no opacity is left in them, but for their brightness."""
    return np.where(lung_mask(picture), blur(picture), picture)


def without_lungs(picture: Pixels) -> Pixels:
    """Hides the lungs and their rim; their outline remains."""
    rim = round(max(picture.shape) * _DILATION)
    return _hide(picture, ndimage.binary_dilation(lung_mask(picture), iterations=rim))


def without_text(picture: Pixels) -> Pixels:
    """Paints over small, bright marks outside the lungs: letters, arrows, electrodes."""
    marks, count = ndimage.label(_bright_marks(picture), np.ones((3, 3)))
    sizes, lungs = np.bincount(marks.ravel()), lung_mask(picture)
    clean = picture.copy()
    every = ndimage.binary_dilation(marks > 0, iterations=_LETTER_HALO)
    for mark in range(1, count + 1):
        this = marks == mark
        if sizes[mark] > _LETTER_AREA * picture.size or lungs[this].any():
            continue
        near = ndimage.binary_dilation(this, iterations=_LETTER_SURROUNDINGS) & ~every
        level = np.median(picture[near] if near.any() else picture)
        clean[ndimage.binary_dilation(this, iterations=_LETTER_HALO)] = level
    return clean


def equalized(picture: Pixels) -> Pixels:
    """Makes every grey level about equally frequent."""
    return np.asarray(ImageOps.equalize(Image.fromarray(picture)))


def lung_crop(picture: Pixels) -> Pixels:
    """Enlarges the box around the lungs to the whole picture, aspect ignored."""
    rows, columns = ndimage.find_objects(lung_mask(picture).astype(np.int8))[0]
    height, width = picture.shape
    box = (
        max(0, columns.start - width * _MARGIN),
        max(0, rows.start - height * _MARGIN),
        min(width, columns.stop + width * _MARGIN),
        min(height, rows.stop + height * _MARGIN),
    )
    whole = Image.fromarray(picture)
    return np.asarray(whole.resize((width, height), Image.Resampling.BILINEAR, box=box))


VIEWS: dict[str, View] = {
    view.__name__: view
    for view in (
        as_is,
        border_only,
        centre_only,
        blurred_lungs,
        without_lungs,
        without_text,
        equalized,
        lung_crop,
    )
}


def apply(view: str, pixels: Pixels) -> Pixels:
    """Changes every picture of uint8 (N, H, W), on all cores. Raises ValueError for no view."""
    if view not in VIEWS:
        raise ValueError(f"view is {view!r}; it can be {', '.join(VIEWS)}")
    if view == as_is.__name__:
        return pixels  # however large, and mapped from a file
    changed = np.empty(pixels.shape, np.uint8)
    with ThreadPoolExecutor() as pool:
        for i, picture in enumerate(pool.map(VIEWS[view], pixels)):
            changed[i] = picture
    return changed


def blur(picture: Pixels) -> Pixels:
    """A picture (H, W) without anything that is smaller than a lung field."""
    sigma = max(picture.shape) * _BLUR
    smooth = ndimage.gaussian_filter(picture.astype(np.float32), sigma, mode="nearest")
    return np.asarray(smooth.round().astype(np.uint8))


def _hide(picture: Pixels, hidden: npt.NDArray[np.bool_]) -> Pixels:
    return np.where(hidden, np.uint8(picture[~hidden].mean().round()), picture)


def _bright_marks(picture: Pixels) -> Mask:
    side = round(max(picture.shape) * _LETTER)
    contrast = ndimage.white_tophat(picture, size=(side, side))  # strokes stand out, areas do not
    return np.asarray((picture >= _LETTER_LEVEL) & (contrast >= _LETTER_CONTRAST))


def _shape(picture: Pixels) -> tuple[int, int]:
    height, width = picture.shape
    return height, width
