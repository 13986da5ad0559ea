"""Estimates of the CPU time to decode a file, from its headers, and the limits on it.

A small file can make a decoder do much work: many passes over the pixels, many tiles, or tiles
larger than the image. No radiograph needs that: its pixels do not compress to hundredths of a byte.

The times were measured on the costliest files of each format, blank and noise, plus a quarter or
more for slower memory (`python -m tests.fuzz.costs`; 2 cores, x86_64, Pillow 13.0).
"""

from chestxray.errors import ImageTooCostly

MAX_SECONDS = 0.8
"""CPU-seconds for any file but DICOM, whose large films take a second or more as JPEG 2000."""
MAX_SECONDS_PER_MEGABYTE = 4.0
FREE_SECONDS = 0.02
"""Allowed in addition, however small the file."""

_NANO = 1e-9
PIXEL = 20 * _NANO
"""To convert to greyscale, window and resize."""

JPEG_BLOCK = 150 * _NANO
"""Inverse DCT and colour conversion of 64 samples."""
JPEG_SMOOTHED_BLOCK = 450 * _NANO
"""The same for progressive files, where missing coefficients are estimated from adjacent blocks."""
JPEG_PASS = 50 * _NANO
"""One more visit to a block, for each scan that contains it."""
JPEG_BYTE, JPEG_PROGRESSIVE_BYTE, JPEG_ARITHMETIC_BYTE = 15 * _NANO, 40 * _NANO, 150 * _NANO

PNG_BYTE = 8 * _NANO
"""Inflating and unfiltering."""
PNG_ROW = 40 * _NANO
PNG_CHUNK = 4000 * _NANO

WEBP_PIXEL, WEBP_LOSSLESS_PIXEL = 12 * _NANO, 30 * _NANO
"""Including conversion to greyscale; an alpha channel is one more lossless image."""
WEBP_BYTE, WEBP_LOSSLESS_BYTE = 120 * _NANO, 10 * _NANO

BMP_ROW = 15_000 * _NANO
BMP_PIXEL = 40 * _NANO

TIFF_FIELD = 3000 * _NANO
TIFF_VALUE = 200 * _NANO
TIFF_SEGMENT, TIFF_PLAIN_SEGMENT = 3000 * _NANO, 15_000 * _NANO
"""Per strip or tile; Pillow's Python code reads uncompressed ones."""
TIFF_CODED_BYTE = 3 * _NANO
TIFF_DECODED_BYTE = 5 * _NANO


DICOM_PIXEL, DICOM_CODED_PIXEL = 12 * _NANO, 15 * _NANO
"""Reading and looking up; decoding of a codestream that says nothing. What it says costs up to
0.12 s a megabyte (JPEG 2000 of noise), far below the limit."""


def check(seconds: float, size: int, *, most: float = MAX_SECONDS) -> None:
    """Raises ImageTooCostly if `seconds` exceed the limit for a file of `size` bytes."""
    allowed = min(most, FREE_SECONDS + MAX_SECONDS_PER_MEGABYTE * size / 2**20)
    if seconds > allowed:
        raise ImageTooCostly(
            f"decoding the {size} bytes would take {seconds:.2g} s; the limit for a file of this "
            f"size is {allowed:.2g} s, more than any radiograph needs; open it in a viewer and "
            "save it again"
        )
