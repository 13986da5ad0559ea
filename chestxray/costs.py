"""What decoding a file will cost in processor time, from what it says of itself, and how much may.

Decoders do what a file asks of them: more passes over the pixels, more tiles, larger ones than the
picture. Nothing of a film needs that: its pixels do not compress to a few hundredths of a byte.

The times were measured on the costliest files of each kind, blank ones and noise, with half as much
again for slower memory (`python -m tests.fuzz.costs`; 2 cores, x86_64, Pillow 13.0).
"""

from chestxray.errors import ImageTooCostly

MAX_SECONDS = 0.8
"""For any file."""
MAX_SECONDS_PER_MEGABYTE = 4.0
FREE_SECONDS = 0.02
"""However few bytes a file has."""

_NANO = 1e-9
PIXEL = 20 * _NANO
"""To make it grey, window it and resize."""

JPEG_BLOCK = 150 * _NANO
"""To transform 64 samples back and make colours of them."""
JPEG_SMOOTHED_BLOCK = 450 * _NANO
"""The same where coefficients may be missing, which are guessed from the blocks around it."""
JPEG_PASS = 50 * _NANO
"""To look at a block once more, in each scan that it has a part in."""
JPEG_BYTE, JPEG_PROGRESSIVE_BYTE, JPEG_ARITHMETIC_BYTE = 10 * _NANO, 35 * _NANO, 150 * _NANO

PNG_BYTE = 7 * _NANO
"""To inflate it and add what it was filtered by."""
PNG_ROW = 40 * _NANO
PNG_CHUNK = 4000 * _NANO

WEBP_PIXEL, WEBP_LOSSLESS_PIXEL = 12 * _NANO, 30 * _NANO
"""With what makes it grey; transparency is a lossless picture besides."""
WEBP_BYTE, WEBP_LOSSLESS_BYTE = 60 * _NANO, 10 * _NANO

BMP_ROW = 15_000 * _NANO
BMP_PIXEL = 40 * _NANO

TIFF_FIELD = 3000 * _NANO
TIFF_VALUE = 200 * _NANO
TIFF_SEGMENT, TIFF_PLAIN_SEGMENT = 3000 * _NANO, 15_000 * _NANO
"""A strip or tile; Pillow itself reads the plain ones."""
TIFF_CODED_BYTE = 3 * _NANO
TIFF_DECODED_BYTE = 5 * _NANO


def check(seconds: float, size: int) -> None:
    """Raises ImageTooCostly where so much is more than a file of so many bytes may cost."""
    allowed = min(MAX_SECONDS, FREE_SECONDS + MAX_SECONDS_PER_MEGABYTE * size / 2**20)
    if seconds > allowed:
        raise ImageTooCostly(
            f"the {size} bytes would take {seconds:.2g} s to decode; so many may take "
            f"{allowed:.2g} s, and no film needs as much; open it in a viewer and save it anew"
        )
