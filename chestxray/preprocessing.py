"""Preprocessing between a decoded image and a network, shared by serving and evaluation."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

SIZE = 224
"""Side of the square network input, in pixels (paper, 4.1 and 4.2)."""


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """How a network scales uint8 pixels on its device: (x / 255 - mean) / std, per channel."""

    size: int = SIZE
    mean: tuple[float, ...]
    std: tuple[float, ...]


UNIT_RANGE = Preprocessing(mean=(0.0,), std=(1.0,))
"""One channel in [0, 1] (paper, 4.1)."""

IMAGENET = Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
"""Three equal channels, normalised as ImageNet (paper, 4.2)."""


def prepare(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Resizes a mode L image to uint8 (1, SIZE, SIZE), antialiased, ignoring the aspect ratio."""
    square = image.resize((SIZE, SIZE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(square)[None]  # (1, SIZE, SIZE)
