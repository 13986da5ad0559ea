"""Preloaded by the fork server, so that every decoder has all of its imports at the start.

A confined process cannot import anything, so this decodes one image of each kind beforehand.
"""

import gc
import io
from contextlib import suppress
from itertools import product

import numpy as np
from PIL import Image, ImageCms
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    ExplicitVRLittleEndian,
    RLELossless,
    generate_uid,
)

from bentos.decoding import worker
from chestxray.containers import MEDIA_TYPES
from chestxray.errors import RejectedImage
from chestxray.images import crop_and_window, read

_MODES = ("L", "RGBA", "CMYK", "P", "I;16", "F")

WARM = (worker, ImageCms)
"""Modules that decoding would import lazily."""


def _warm_up() -> None:
    grey = Image.linear_gradient("L")
    for format_, mode in product(MEDIA_TYPES.keys() - {"DICOM"}, _MODES):
        file = io.BytesIO()
        with suppress(OSError, RejectedImage):  # not every format supports every mode
            grey.convert(mode).save(file, format_)
            _ = crop_and_window(read(file.getvalue())).pixels
    for syntax in (ExplicitVRLittleEndian, RLELossless):
        _ = crop_and_window(read(_dicom(grey, syntax))).pixels


def _dicom(grey: Image.Image, syntax: UID) -> bytes:
    """A radiograph as DICOM, with a window."""
    dataset, file = Dataset(), io.BytesIO()
    dataset.SOPClassUID = ComputedRadiographyImageStorage
    dataset.SOPInstanceUID = generate_uid()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.set_pixel_data(np.asarray(grey), "MONOCHROME2", 8)
    dataset.WindowCenter, dataset.WindowWidth = "128", "256"
    if syntax.is_encapsulated:
        dataset.compress(syntax)
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


_warm_up()
gc.collect()
gc.freeze()  # keeps the memory shared between processes
