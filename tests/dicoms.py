"""Writes radiographs as DICOM, in every encoding that is read."""

import io
import struct
from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
import pydicom.uid as uids
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.tag import Tag
from pydicom.uid import UID

from chestxray.greys import Values

RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)
"""Every value of 12 bits."""
_CODES = 2**12 - 1
ALWAYS_THE_SAME = {"SOPInstanceUID": "1.2.826.0.1.3680043.8.498.1"}
"""What makes the file of a data set the same in every process."""


def dataset(stored: Values, *, bits: int = 12, **elements: Any) -> Dataset:
    """A computed radiograph with these pixels (H, W) or (H, W, 3), not compressed."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = uids.ExplicitVRLittleEndian
    made.SOPClassUID = uids.ComputedRadiographyImageStorage
    made.SOPInstanceUID = uids.generate_uid()
    made.Modality = "CR"
    interpretation = elements.pop("PhotometricInterpretation", "MONOCHROME2")
    made.set_pixel_data(stored, interpretation, bits)
    for name, value in elements.items():
        setattr(made, name, value)
    return made


def file(made: Dataset) -> bytes:
    """The bytes of a data set in its transfer syntax."""
    stream = io.BytesIO()
    made.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def film(stored: Values, *, bits: int = 12, **elements: Any) -> bytes:
    """A file with these pixels, as `dataset`."""
    return file(dataset(stored, bits=bits, **elements))


def with_value(data: bytes, name: str, value: bytes, vr: bytes = b"") -> bytes:
    """The file, explicit VR little endian, with any bytes in an element of a short type."""
    tag = Tag(name)
    head = struct.pack("<HH", tag.group, tag.element)
    start = data.index(head + dictionary_VR(tag).encode())
    (length,) = struct.unpack_from("<H", data, start + 6)
    padded = value + b" " * (len(value) % 2)
    made = head + (vr or data[start + 4 : start + 6]) + struct.pack("<H", len(padded)) + padded
    return data[:start] + made + data[start + 8 + length :]


def lut(entries: Values, first: int, bits: int = 16) -> list[Dataset]:
    """A lookup table, as the value of a sequence."""
    item = Dataset()
    item.LUTDescriptor = [len(entries), first, bits]
    item.add_new("LUTData", "US", [int(each) for each in entries])
    return [item]


def _compressed(encode: Callable[[Values], bytes], syntax: UID) -> Callable[[Dataset], bytes]:
    def write(made: Dataset) -> bytes:
        frame = encode(made.pixel_array.view(np.uint16) & _CODES)  # codecs know no sign
        made.PixelData = encapsulate([frame])
        made["PixelData"].VR = "OB"
        made.file_meta.TransferSyntaxUID = syntax
        return file(made)

    return write


def _native(syntax: UID) -> Callable[[Dataset], bytes]:
    def write(made: Dataset) -> bytes:
        stream = io.BytesIO()
        if syntax == uids.ExplicitVRBigEndian:
            made.PixelData = made.pixel_array.astype(
                made.pixel_array.dtype.newbyteorder(">")
            ).tobytes()
        made.file_meta.TransferSyntaxUID = syntax
        implicit, little = syntax.is_implicit_VR, syntax.is_little_endian
        made.save_as(stream, enforce_file_format=True, implicit_vr=implicit, little_endian=little)
        return stream.getvalue()

    return write


def _rle(made: Dataset) -> bytes:
    made.compress(uids.RLELossless, generate_instance_uid=False)
    return file(made)


def _lossless_jpeg(values: Values) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(values, lossless=True, bitspersample=12, predictor=1))


def _jpeg2k(values: Values) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(values, codecformat="j2k", bitspersample=12, level=0))


def _htj2k(values: Values) -> bytes:
    return bytes(imagecodecs.htj2k_encode(values, reversible=True))


LOSSLESS: dict[str, Callable[[Dataset], bytes]] = {
    "implicit VR little endian": _native(uids.ImplicitVRLittleEndian),
    "explicit VR little endian": _native(uids.ExplicitVRLittleEndian),
    "explicit VR big endian": _native(uids.ExplicitVRBigEndian),
    "deflated": _native(uids.DeflatedExplicitVRLittleEndian),
    "RLE": _rle,
    "JPEG lossless": _compressed(_lossless_jpeg, uids.JPEGLosslessSV1),
    "JPEG-LS": _compressed(
        lambda values: bytes(imagecodecs.jpegls_encode(values)), uids.JPEGLSLossless
    ),
    "JPEG 2000": _compressed(_jpeg2k, uids.JPEG2000Lossless),
    "HTJ2K": _compressed(_htj2k, uids.HTJ2KLossless),
}
"""Writers of 12-bit films, which keep every value."""

LOSSY: dict[str, Callable[[Dataset], bytes]] = {
    "JPEG, 12 bits": _compressed(
        lambda values: bytes(imagecodecs.jpeg8_encode(values, level=95, bitspersample=12)),
        uids.JPEGExtended12Bit,
    ),
    "near-lossless JPEG-LS": _compressed(
        lambda values: bytes(imagecodecs.jpegls_encode(values, level=2)), uids.JPEGLSNearLossless
    ),
    "irreversible JPEG 2000": _compressed(
        lambda values: bytes(
            imagecodecs.jpeg2k_encode(values, codecformat="j2k", bitspersample=12, level=50)
        ),
        uids.JPEG2000,
    ),
}
"""Writers of 12-bit films, which change values a little."""
