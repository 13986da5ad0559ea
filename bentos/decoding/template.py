"""Preloaded by the fork server, so that every decoder has all of its imports at the start.

A confined process cannot import anything, so this decodes one image of each kind beforehand.
"""

import gc
import io
from contextlib import suppress
from itertools import product

from PIL import Image, ImageCms

from bentos.decoding import worker
from chestxray.containers import MEDIA_TYPES
from chestxray.errors import RejectedImage
from chestxray.images import crop_and_window, read

_MODES = ("L", "RGBA", "CMYK", "P", "I;16", "F")

WARM = (worker, ImageCms)
"""Modules that decoding would import lazily."""


def _warm_up() -> None:
    grey = Image.linear_gradient("L")
    for format_, mode in product(MEDIA_TYPES, _MODES):
        file = io.BytesIO()
        with suppress(OSError, RejectedImage):  # not every format supports every mode
            grey.convert(mode).save(file, format_)
            _ = crop_and_window(read(file.getvalue())).pixels


_warm_up()
gc.collect()
gc.freeze()  # keeps the memory shared between processes
