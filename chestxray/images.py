"""From the bytes of an upload to one greyscale picture, or a clear reason why not.

JPEG, PNG, TIFF, WebP and BMP; integers of 1 to 64 bits and floats; greyscale, palette, alpha,
colour, CMYK; EXIF orientation applied. Limits on pixels hold before a pixel is decoded.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from chestxray import containers, foreign, readers
from chestxray.errors import (
    BlankImage,
    EmptyImage,
    ImageTooLarge,
    RejectedImage,
    TruncatedImage,
    UnreadableImage,
    UnsupportedFormat,
)
from chestxray.greys import Values
from chestxray.readers import Found
from chestxray.results import Input
from chestxray.windowing import window

# Of the pixels that others may have: its decoder takes 16 bytes for each.
_WEBP_SHARE = 0.75

_TRANSPOSE = {  # EXIF 2.32, tag 0x0112
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


_ALIASES = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "image/tif": "image/tiff",
    "image/x-ms-bmp": "image/bmp",
    "image/x-bmp": "image/bmp",
    "image/*": "",
}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How large an image may be.

    5120 squared holds a detector of 43x43 cm at 100 um (4267x4267), a film of 14x17 inches at 300
    dpi (4200x5100) and a phone's 24 megapixels (6016x4016); the bytes are those of so many RGB
    pixels, or 16-bit grey ones, without compression.
    """

    max_bytes: int = 80 * 2**20
    max_pixels: int = 5120 * 5120

    @property
    def max_webp_pixels(self) -> int:
        """Fewer, since its decoder needs more memory for each."""
        return int(self.max_pixels * _WEBP_SHARE)


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, kw_only=True)
class Raw:
    """The grey values of a picture as its file has them.

    `values` are (H, W), larger is brighter: uint8 where there were 8 bits or fewer, else the file's
    own type or one that holds it. A JPEG is at reduced scale, as are values of 4 bytes and more.
    """

    values: Values
    orientation: int  # EXIF 2.32, tag 0x0112; 1 is upright
    input: Input


def decode(
    data: bytes, *, limits: Limits = DEFAULT_LIMITS, media_type: str | None = None
) -> Image.Image:
    """Decodes to mode L, upright by EXIF; a JPEG at reduced scale, not under twice SIZE.

    Raises RejectedImage.
    """
    return develop(read(data, limits=limits, media_type=media_type))


def develop(raw: Raw) -> Image.Image:
    """Makes mode L of the values, windowed where they are deeper than 8 bits, and upright."""
    grey = Image.fromarray(raw.values if raw.values.dtype == np.uint8 else window(raw.values))
    turn = _TRANSPOSE.get(raw.orientation)
    return grey if turn is None else grey.transpose(turn)


def read(data: bytes, *, limits: Limits = DEFAULT_LIMITS, media_type: str | None = None) -> Raw:
    """Reads the grey values. The bytes decide; `media_type` is what the sender declared.

    Raises EmptyImage, ImageTooLarge, UnsupportedFormat, UnsupportedVariant, PolyglotFile,
    TruncatedImage, MultiFrameImage, BlankImage or UnreadableImage.
    """
    format_ = _format_of(data, limits)
    most = limits.max_webp_pixels if format_ == "WEBP" else limits.max_pixels
    try:
        found = readers.READERS[format_](data, most)
    except RejectedImage:
        raise
    # Decoders raise nearly any exception on crafted input, MemoryError included.
    except Exception as error:
        if "truncated" in str(error):
            raise TruncatedImage(f"the {format_} image data ends early; send it whole") from error
        raise UnreadableImage(f"the {format_} image cannot be decoded; it is damaged") from error
    _check_values(found.values)
    return Raw(
        values=found.values,
        orientation=found.orientation,
        input=_input(found, format_, media_type),
    )


def _format_of(data: bytes, limits: Limits) -> str:
    if not data:
        raise EmptyImage("the image has no bytes")
    if len(data) > limits.max_bytes:
        raise ImageTooLarge(
            f"image is {len(data)} bytes; the limit is {limits.max_bytes}", limit=limits.max_bytes
        )
    format_ = containers.sniff(data)
    kind = foreign.disguised(data) or (foreign.recognise(data) if format_ is None else None)
    if kind is not None:
        raise UnsupportedFormat(
            f"found {kind.name}, which is not read; {kind.advice}", found=kind.name
        )
    if format_ is None:
        allowed = ", ".join(containers.MEDIA_TYPES)
        raise UnsupportedFormat(f"the bytes are no image in a format that is read here ({allowed})")
    return format_


def _input(found: Found, format_: str, media_type: str | None) -> Input:
    width, height = found.size
    declared = (media_type or "").partition(";")[0].strip().lower()
    declared, actual = _ALIASES.get(declared, declared), containers.MEDIA_TYPES[format_]
    return Input(
        format=format_,
        media_type=actual,
        width=width,
        height=height,
        bits=found.bits,
        colour=found.colour,
        mislabelled=declared.startswith("image/") and declared != actual,
    )


def _check_values(values: Values) -> None:
    known = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if not known.size:
        raise BlankImage("no pixel has a value; all are NaN or infinite")
    low, high = known.min(), known.max()
    if low == high:
        raise BlankImage(f"every pixel has the same value, {low}; send the picture itself")
