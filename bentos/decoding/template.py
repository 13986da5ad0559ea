"""Imported by the fork server alone: what every decoder has from its first moment.

A confined process can import nothing, so each kind of picture is read once before.
"""

import gc
import io
from contextlib import suppress
from itertools import product

from PIL import Image, ImageCms

from bentos.decoding import worker
from chestxray.containers import MEDIA_TYPES
from chestxray.errors import RejectedImage
from chestxray.images import develop, read
from chestxray.preprocessing import prepare

_MODES = ("L", "RGBA", "CMYK", "P", "I;16", "F")

WARM = (worker, ImageCms)
"""What decoding imports at its first need."""


def _warm_up() -> None:
    grey = Image.linear_gradient("L")
    for format_, mode in product(MEDIA_TYPES, _MODES):
        file = io.BytesIO()
        with suppress(OSError, RejectedImage):  # not every format has every mode
            grey.convert(mode).save(file, format_)
            prepare(develop(read(file.getvalue())).image)


_warm_up()
gc.collect()
gc.freeze()  # what is there stays, and its memory shared
