"""Arrays of grey values, made with little more memory than they take themselves."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Values = npt.NDArray[Any]

LUMA = (19595, 38470, 7471)
"""Weights of red, green and blue, of 2**16 in all (ITU-R BT.601), as Pillow has them."""

BAND_BYTES = 4 * 2**20
"""What is worked on at a time."""


def luma(colours: Values) -> Values:
    """Makes (H, W, 3 or more) grey in its own depth, a few rows at a time."""
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
    """Yields some rows at a time, with their places; numpy's own way holds a copy three times."""
    width, height = image.size
    at_once = max(1, BAND_BYTES // (4 * width))
    for top in range(0, height, at_once):
        bottom = min(top + at_once, height)
        yield slice(top, bottom), np.asarray(image.crop((0, top, width, bottom)))


def pixels(image: Image.Image) -> Values:
    """Copies the pixels of a picture of one band."""
    dtype = np.asarray(image.crop((0, 0, 1, 1))).dtype.newbyteorder("=")
    copied = np.empty(image.size[::-1], dtype)
    for rows, band in bands(image):
        copied[rows] = band
    return copied
