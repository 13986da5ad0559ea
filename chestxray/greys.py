"""Conversion of pixels to grey values, band by band to save memory."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Values = npt.NDArray[Any]

LUMA = (19595, 38470, 7471)
"""Pillow's weights of red, green and blue (ITU-R BT.601); their sum is 2**16."""

BAND_BYTES = 4 * 2**20
"""Approximate size of the band that is processed at a time."""


def luma(colours: Values) -> Values:
    """Converts colours (H, W, 3 or more channels) to grey (H, W) of the same dtype."""
    rows, width = colours.shape[:2]
    values = np.empty((rows, width), colours.dtype)
    at_once = max(1, BAND_BYTES // (width * 24))
    for top in range(0, rows, at_once):
        part = colours[top : top + at_once]
        values[top : top + at_once] = _luma(part[..., 0], part[..., 1], part[..., 2])
    return values


def _luma(red: Values, green: Values, blue: Values) -> Values:
    if red.dtype.kind == "f":
        return np.asarray((red * LUMA[0] + green * LUMA[1] + blue * LUMA[2]) / 2**16)
    wide: type[np.integer[Any]] = (
        np.int64 if red.dtype.kind == "i" or red.dtype.itemsize > 2 else np.uint32
    )
    total: Values = np.full(red.shape, 2**15, wide)
    for channel, weight in zip((red, green, blue), LUMA, strict=True):
        total += channel.astype(wide) * weight
    return total >> 16


def bands(image: Image.Image) -> Iterator[tuple[slice, Values]]:
    """Yields bands of rows with their slices; converting all at once would need three copies."""
    width, height = image.size
    at_once = max(1, BAND_BYTES // (4 * width))
    for top in range(0, height, at_once):
        bottom = min(top + at_once, height)
        yield slice(top, bottom), np.asarray(image.crop((0, top, width, bottom)))


def pixels(image: Image.Image) -> Values:
    """Copies the pixels of a single-band image to an array (H, W)."""
    dtype = np.asarray(image.crop((0, 0, 1, 1))).dtype.newbyteorder("=")
    copied = np.empty(image.size[::-1], dtype)
    for rows, band in bands(image):
        copied[rows] = band
    return copied
