"""Class activation maps drawn over the image."""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

# Cividis (Nunez et al. 2018, doi 10.1371/journal.pone.0199239), safe for colour vision deficiency.
_CIVIDIS = np.array(
    [[0, 34, 78], [53, 69, 108], [102, 105, 112], [148, 142, 119], [200, 184, 102], [254, 232, 56]]
)
_MAX_OPACITY = 0.65
PICTURE_SIDE = 1024
"""Longest side of the picture that a map is drawn over, in pixels."""


def upsample(grid: npt.NDArray[np.float32], *, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Upsamples a grid (h, w) bicubically to float32 (height, width); `size` is (width, height)."""
    smooth = Image.fromarray(grid.astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(smooth)  # (height, width)


def overlay(image: Image.Image, grid: npt.NDArray[np.float32]) -> bytes:
    """Overlays the positive part of a grid (h, w) on a greyscale image; returns a PNG.

    Opacity grows with the evidence for the class; everything else stays unchanged.
    """
    evidence = np.clip(upsample(grid, size=image.size), 0, None)
    strength = evidence / evidence.max() if evidence.max() > 0 else evidence  # (H, W) in [0, 1]
    stops = np.linspace(0, 1, len(_CIVIDIS))
    colour = np.stack([np.interp(strength, stops, _CIVIDIS[:, c]) for c in range(3)], axis=-1)
    opacity = (_MAX_OPACITY * strength)[..., None]
    blended = np.asarray(image.convert("RGB")) * (1 - opacity) + colour * opacity
    return png(Image.fromarray(blended.round().astype(np.uint8)))


def png(image: Image.Image) -> bytes:
    """Returns an image as a PNG file."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
