"""Decodes a DICOM file to a greyscale image (DICOM PS3.3, C.7.6.3 and C.11)."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from PIL import Image, ImageOps
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

from chestxray.windowing import window


class UnreadableDicom(ValueError):
    """The file is not DICOM, or its pixels are missing or unsupported."""


def decode(path: Path) -> Image.Image:
    """Decodes to mode L with bone white; 8 bits as stored, more bits windowed."""
    try:
        dataset = pydicom.dcmread(path)
        pixels = dataset.pixel_array
    # pydicom raises many types: AttributeError without pixels, RuntimeError without codec.
    except Exception as error:
        raise UnreadableDicom(f"{path.name} cannot be decoded: {error}") from error
    match dataset.PhotometricInterpretation, pixels.ndim:
        case "MONOCHROME1", 2:
            return ImageOps.invert(_grey(pixels, dataset))
        case "MONOCHROME2", 2:
            return _grey(pixels, dataset)
        case _, 3 if pixels.dtype == np.uint8 and pixels.shape[-1] == 3:
            return Image.fromarray(pixels).convert("L")
        case photometric, _:
            raise UnreadableDicom(
                f"{path.name} holds {photometric} of shape {pixels.shape}; "
                "one greyscale or 8-bit RGB picture is read"
            )


def _grey(pixels: npt.NDArray[np.generic], dataset: pydicom.Dataset) -> Image.Image:
    values = apply_modality_lut(pixels, dataset)
    if "VOILUTSequence" in dataset:
        values = np.rint(values).astype(np.int32)  # the lookup table needs integer indices
    values = apply_voi_lut(values, dataset)
    return Image.fromarray(values if values.dtype == np.uint8 else window(values))
