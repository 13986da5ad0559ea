"""Decodes the codestream in a DICOM file, whose own header is compared with the file's first."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from imagecodecs import dicomrle_decode, jpeg2k_decode, jpeg8_decode, jpegls_decode
from pydicom.uid import UID

from chestxray.dicom import syntaxes
from chestxray.errors import TruncatedImage, UnreadableImage, UnsupportedVariant
from chestxray.greys import Values

_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])")
_FRAMES = (0xC0, 0xC1, 0xC3, 0xF7)
"""Frames of DICOM's JPEG: baseline, extended, lossless (T.81, table B.1), and JPEG-LS (T.87)."""
_ADOBE = re.compile(rb"\xff\xee..Adobe", re.DOTALL)
"""The marker that says which colours a JPEG image has (T.872, 6.5.3)."""
_SCAN = b"\xff\xda"
_SIZE = b"\xff\x4f\xff\x51"
"""Start of a JPEG 2000 codestream (T.800, A.4.1) and its image size (A.5.1)."""
_SIZE_BYTES = 41
_JP2_BYTES = 4096
"""A file in the JP2 format, against PS3.5, A.4.4, has the codestream behind a header."""


_OF_DICOM = "1.2.840.10008.1.2."


@dataclass(frozen=True)
class Codestream:
    """What a codestream says of itself; `size` is (width, height)."""

    size: tuple[int, int]
    bits: int
    components: int


def jpeg(frame: bytes) -> Codestream:
    """Reads the frame header of JPEG and JPEG-LS. Raises TruncatedImage or UnreadableImage."""
    position = 2
    while found := _MARKER.search(frame, position):
        length = int.from_bytes(frame[found.end() : found.end() + 2], "big")
        if found[1][0] in _FRAMES:
            return _frame_header(frame, found.end() + 2)
        position = found.end() + max(2, length)
    raise TruncatedImage("the JPEG data in the DICOM file end before the image; send it whole")


def _frame_header(frame: bytes, start: int) -> Codestream:
    header = frame[start : start + 6].ljust(6, b"\0")
    height, width = (int.from_bytes(header[at : at + 2], "big") for at in (1, 3))
    if frame.count(_SCAN) > header[5]:  # each takes a pass over all pixels, however short it is
        raise UnreadableImage("the JPEG data in the DICOM file have more scans than colours")
    return Codestream((width, height), header[0], header[5])


def jpeg2k(frame: bytes) -> Codestream:
    """Reads the image size of JPEG 2000, High-Throughput included. Raises TruncatedImage."""
    start = frame.find(_SIZE, 0, _JP2_BYTES)
    header = frame[start : start + _SIZE_BYTES + 2]
    if start < 0 or len(header) < _SIZE_BYTES + 2:
        raise TruncatedImage("the JPEG 2000 data in the DICOM file end before the image")
    right, bottom, left, top = (
        int.from_bytes(header[at : at + 4], "big") for at in (8, 12, 16, 20)
    )
    components = int.from_bytes(header[40:42], "big")
    return Codestream((right - left, bottom - top), (header[42] & 0x7F) + 1, components)


@dataclass(frozen=True)
class Codec:
    """How a transfer syntax is decoded: to (H, W) or (H, W, components) of 8 or 16 bits."""

    describe: Callable[[bytes], Codestream]
    decode: Callable[[bytes], Values]


_JPEG = Codec(jpeg, jpeg8_decode)
_JPEG_LS = Codec(jpeg, jpegls_decode)
_JPEG_2000 = Codec(jpeg2k, jpeg2k_decode)
CODECS: dict[UID, Codec] = (
    dict.fromkeys(syntaxes.JPEG, _JPEG)
    | dict.fromkeys(syntaxes.JPEG_LS, _JPEG_LS)
    | dict.fromkeys(syntaxes.JPEG_2000, _JPEG_2000)
)


def of(syntax: UID) -> Codec:
    """The codec of an encapsulated transfer syntax. Raises UnsupportedVariant."""
    if syntax in CODECS:
        return CODECS[syntax]
    name = syntax.name if syntax.startswith(_OF_DICOM) and syntax.is_valid else "a private one"
    raise UnsupportedVariant(
        f"the transfer syntax of the DICOM file is {name}, which is not supported; send it "
        "uncompressed, or as JPEG, JPEG-LS, JPEG 2000 or RLE",
        found=name,
    )


def decode(
    codec: Codec, frame: bytes, size: tuple[int, int], components: int, *, rgb: bool
) -> Values:
    """Decodes a codestream of this size (width, height), and no other.

    With `rgb`, JPEG that does not name its colours has the header's, red, green and blue; a decoder
    would take them for YCbCr. Raises TruncatedImage or UnreadableImage; a decoder may raise
    anything on crafted input.
    """
    said = codec.describe(frame)
    if said.size != size or said.components != components:
        raise UnreadableImage(
            f"the DICOM header says {size[0]}x{size[1]} pixels of {components} values, the "
            f"compressed image {said.size[0]}x{said.size[1]} of {said.components}; it is damaged"
        )
    if rgb and codec is _JPEG and not _ADOBE.search(frame):
        return jpeg8_decode(frame, colorspace="RGB", outcolorspace="RGB")
    return codec.decode(frame)


def decode_rle(frame: bytes, size: tuple[int, int], components: int, bits: int) -> Values:
    """Decodes RLE Lossless (PS3.5, annex G) to (H, W) or (H, W, components)."""
    width, height = size
    decoded = bytearray(width * height * components * bits // 8)
    dicomrle_decode(frame, f"u{bits // 8}", out=decoded)
    planes = np.frombuffer(decoded, f"u{bits // 8}").reshape(components, height, width)
    return planes[0] if components == 1 else planes.transpose(1, 2, 0)
