"""Ablations: image transforms that show or hide one thing, to find out what a network relies on.

Hidden areas are filled with the mean grey of the visible ones, so that the fill carries no
information.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps
from scipy import ndimage

from training.cache import Pixels
from training.lungs import Mask, lung_mask

Ablation = Callable[[Pixels], Pixels]
"""A transform of an image, uint8 (H, W) to the same shape."""

FRAME = 1 / 8
"""Share of each side: 4 of 32 pixels, the border that the data's README measures; few lungs reach
it."""

_BLUR = 1 / 10  # share of the side: wider than consolidations; keeps the lung's mean brightness
_DILATION = 1 / 28  # share of the side: includes the lung's edge, whose estimate is rough
_MARGIN = 1 / 20  # share of the side, around the lungs in a crop

_LETTER = 1 / 15  # share of the side: wider than strokes, narrower than bones and long catheters
_LETTER_LEVEL = 140  # marks are brighter than this, after resizing
_LETTER_CONTRAST = 50  # minimum contrast of a mark with its surroundings, in grey levels
_LETTER_AREA = 1 / 100  # share of the image: a larger bright component is not a letter
_LETTER_HALO = 2  # pixels around a mark that resizing blurred
_LETTER_SURROUNDINGS = 6  # pixels around a mark whose median replaces it


def frame(shape: tuple[int, int]) -> Mask:
    """The outer frame of an image, bool (H, W)."""
    height, width = shape
    top, left = round(height * FRAME), round(width * FRAME)
    outer = np.ones(shape, bool)
    outer[top : height - top, left : width - left] = False
    return outer


def as_is(picture: Pixels) -> Pixels:
    """Returns the image itself."""
    return picture


def border_only(picture: Pixels) -> Pixels:
    """Shows only the outer frame."""
    return _hide(picture, ~frame(_shape(picture)))


def centre_only(picture: Pixels) -> Pixels:
    """Hides the outer frame."""
    return _hide(picture, frame(_shape(picture)))


def blurred_lungs(picture: Pixels) -> Pixels:
    """Blurs the lungs until no opacity remains, but keeps their brightness."""
    return np.where(lung_mask(picture), blur(picture), picture)


def without_lungs(picture: Pixels) -> Pixels:
    """Hides the lungs and their edge; their outline remains."""
    rim = round(max(picture.shape) * _DILATION)
    return _hide(picture, ndimage.binary_dilation(lung_mask(picture), iterations=rim))


def without_text(picture: Pixels) -> Pixels:
    """Inpaints small, bright marks outside the lungs: letters, arrows, electrodes."""
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
    """Equalises the histogram."""
    return np.asarray(ImageOps.equalize(Image.fromarray(picture)))


def lung_crop(picture: Pixels) -> Pixels:
    """Crops to the box around the lungs and scales it to the whole image, ignoring the aspect
    ratio.
    """
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


ABLATIONS: dict[str, Ablation] = {
    ablation.__name__: ablation
    for ablation in (
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


def apply(name: str, pixels: Pixels) -> Pixels:
    """Transforms every image of uint8 (N, H, W), on all cores. Raises ValueError for an unknown
    name.
    """
    if name not in ABLATIONS:
        raise ValueError(f"view is {name!r}; it can be {', '.join(ABLATIONS)}")
    if name == as_is.__name__:
        return pixels  # large, and memory-mapped
    changed = np.empty(pixels.shape, np.uint8)
    with ThreadPoolExecutor() as pool:
        for i, picture in enumerate(pool.map(ABLATIONS[name], pixels)):
            changed[i] = picture
    return changed


def blur(picture: Pixels) -> Pixels:
    """The image (H, W) with everything smaller than a lung field removed."""
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
