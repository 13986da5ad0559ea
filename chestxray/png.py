"""PNG: strips chunks that the pixels do not need, and decodes 16-bit colours at full depth.

Other chunks (text, profiles, times) cost the decoder time and memory and change nothing: no format
gets colour management here.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from chestxray.errors import MultiFrameImage, UnreadableImage, UnsupportedVariant
from chestxray.greys import LUMA, Values, bands

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NEEDED = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
# ImageMagick's form of EXIF.
_EXIF_TEXTS = (b"tEXtRaw profile type exif\0", b"zTXtRaw profile type exif\0")
_COLOUR, _ALPHA = 2, 4  # bits of the colour type
_GREY_ALPHA, _RGB_ALPHA = 4, 6
_MAX_EXIF_BYTES = 2**16  # the maximum in a JPEG; reading more takes a hundred times its size
_MAX_CHUNKS = 20_000


@dataclass(frozen=True)
class Header:
    """Bits per sample and colour type."""

    bits: int
    colour_type: int

    @property
    def colour(self) -> bool:
        """Whether the pixels are colours, even if all are grey."""
        return bool(self.colour_type & _COLOUR)

    @property
    def deep_colour(self) -> bool:
        """Whether Pillow would drop the lower 8 bits of each sample."""
        return self.bits == 16 and bool(self.colour_type)


def header(data: bytes) -> Header:
    """Reads the header. Raises UnsupportedVariant for Apple's CgBI variant, or UnreadableImage."""
    if data[12:16] == b"CgBI":
        raise UnsupportedVariant(
            "the file is a PNG of an iOS app (CgBI), which is not supported; save it as a standard "
            "PNG",
            found="CgBI PNG",
        )
    if data[12:16] != b"IHDR":  # Pillow would accept a later one
        raise UnreadableImage("the PNG file does not begin with its header; it is damaged")
    bits, colour_type = data[24:26].ljust(2, b"\0")
    return Header(bits, colour_type)


def plain(data: bytes) -> bytes:
    """Strips all chunks except pixels, palette and EXIF. Raises MultiFrameImage for an
    animation.
    """
    kept, everything = [], True
    for start, end, kind in _chunks(data):
        if kind == b"acTL":
            raise MultiFrameImage("the file holds several pictures; send one")
        exif = kind == b"eXIf" or data.startswith(_EXIF_TEXTS, start + 4)
        needed = end - start <= _MAX_EXIF_BYTES if exif else kind in _NEEDED
        everything &= needed
        if needed:
            kept.append((start, end))
    if everything:
        return data
    view = memoryview(data)
    return b"".join([_SIGNATURE, *(view[start:end] for start, end in kept)])


def _chunks(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    position = len(_SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        if position + 8 > len(data):
            return
        length, kind = struct.unpack_from(">I4s", data, position)
        yield position, (position := position + 12 + length), kind
        if kind == b"IEND":
            return


def deep_luma(data: bytes) -> Values:
    """Decodes 16-bit colours, or grey with alpha, to uint16 (H, W); drops alpha."""
    kind = header(data)
    if kind.colour_type == _GREY_ALPHA:
        return _grey_of(data)
    letters = "RGBA" if kind.colour_type == _RGB_ALPHA else "RGB"
    width, height = struct.unpack_from(">II", data, 16)
    total = np.zeros((height, width), np.uint32)
    # Pillow keeps one byte of each sample; the byte order in the raw mode selects which.
    _add_weighted(data, f"{letters};16B", total)
    total <<= np.uint32(8)
    _add_weighted(data, f"{letters};16L", total)
    total += np.uint32(2**15)
    total >>= np.uint32(16)
    return total.astype(np.uint16)


def _add_weighted(data: bytes, rawmode: str, total: Values) -> None:
    """Adds the luma of one byte of each sample to `total`."""
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        image.tile = [tile._replace(args=rawmode) for tile in image.tile]
        image.load()
        weights = np.array([*LUMA, 0][: len(image.getbands())], np.float32)
        for rows, band in bands(image):
            # Integers up to 2**24 are exact in float32, which multiplies fastest.
            total[rows] += (band.astype(np.float32) @ weights).astype(np.uint32)


def _grey_of(data: bytes) -> Values:
    """Decodes 16-bit grey and alpha as if they were four 8-bit channels."""
    names = b"IHDR" + data[16:24] + bytes([8, _RGB_ALPHA]) + data[26:29]
    start = len(_SIGNATURE) + 4
    renamed = b"".join(
        [data[:start], names, struct.pack(">I", zlib.crc32(names)), memoryview(data)[33:]]
    )
    with Image.open(io.BytesIO(renamed), formats=["PNG"]) as image:
        image.load()
        values = np.empty(image.size[::-1], np.uint16)
        for rows, band in bands(image):
            values[rows] = band[..., :2].copy().view(">u2")[..., 0]
        return values
