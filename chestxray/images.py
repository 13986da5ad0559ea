"""From the bytes of an upload to one greyscale picture, or a clear reason why not.

JPEG, PNG, TIFF, WebP and BMP; integers of 1 to 64 bits and floats; greyscale, palette, alpha,
colour, CMYK; EXIF orientation applied. Limits on pixels hold before a pixel is decoded.
"""

import io
import logging
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image

from chestxray import bmp, containers, foreign, jpeg, png, samples, tiff
from chestxray.errors import (
    BlankImage,
    EmptyImage,
    ImageTooLarge,
    MultiFrameImage,
    RejectedImage,
    TruncatedImage,
    UnreadableImage,
    UnsupportedFormat,
)
from chestxray.greys import Values, pixels
from chestxray.preprocessing import SIZE
from chestxray.results import Input
from chestxray.windowing import steps, window

# Pillow warns of damaged metadata, which is not used here, and would name it in the log.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").setLevel(logging.CRITICAL)

# Our own limit is checked between header and pixels, with a message that names it.
Image.MAX_IMAGE_PIXELS = None

# Of the pixels that others may have: its decoder takes 16 bytes for each.
_WEBP_SHARE = 0.75

_LEAST_SIDE = 2 * SIZE
"""Half of the reduction stays with the antialiased resize: decoding to exactly SIZE would alias."""

_EXIF_KEYS = ("exif", "Raw profile type exif")
_MAX_EXIF_BYTES = 2**16  # what fits into a JPEG
_UPRIGHT = 1

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


@dataclass(frozen=True)
class _Source:
    """A file whose container was checked."""

    data: bytes
    format: str
    limits: Limits


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What a reader made of a source."""

    values: Values
    size: tuple[int, int]
    bits: int
    colour: bool
    orientation: int = _UPRIGHT


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
    try:
        found = _READERS[format_](_Source(data, format_, limits))
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


def _input(found: _Found, format_: str, media_type: str | None) -> Input:
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


def _check_size(size: tuple[int, int], limit: int) -> None:
    width, height = size
    if width * height > limit:
        raise ImageTooLarge(
            f"image is {width}x{height} = {width * height} pixels; the limit is {limit}",
            limit=limit,
        )


@np.errstate(invalid="ignore")  # crafted floats, which numpy would name in the log
def _check_values(values: Values) -> None:
    low, high = np.fmin.reduce(values, axis=None), np.fmax.reduce(values, axis=None)
    if np.isnan(low):
        raise BlankImage("no pixel has a value; all are NaN")
    if low == high:
        raise BlankImage(f"every pixel has the same value, {low}; send the picture itself")


def _jpeg(source: _Source) -> _Found:
    frame = jpeg.frame(source.data)
    containers.check(source.data, "JPEG")
    return _by_pillow(source, bits=8, colour=frame is not None and frame.components > 1)


def _png(source: _Source) -> _Found:
    header = png.header(source.data)
    containers.check(source.data, "PNG")
    plain = _Source(png.plain(source.data), "PNG", source.limits)
    return _by_pillow(plain, bits=header.bits, colour=header.colour, deep_colour=header.deep_colour)


def _webp(source: _Source) -> _Found:
    containers.check(source.data, "WEBP")
    _check_size(containers.webp_size(source.data), source.limits.max_webp_pixels)
    return _by_pillow(source, bits=8, colour=True)


def _bmp(source: _Source) -> _Found:
    header = bmp.header(source.data)
    containers.check(source.data, "BMP")
    size = header.width, header.height
    _check_size(size, source.limits.max_pixels)
    bits, colour = header.bits_of_sample, header.bits > 8
    if header.for_pillow:
        return _by_pillow(source, bits=bits, colour=colour)
    return _Found(values=bmp.grey(source.data, header), size=size, bits=bits, colour=colour)


def _tiff(source: _Source) -> _Found:
    page = tiff.film(source.data)
    alone = tiff.alone(source.data, page)
    containers.check(alone, "TIFF")
    size = page.width, page.height
    _check_size(size, source.limits.max_pixels)
    if page.for_pillow:
        own = _Source(alone, "TIFF", source.limits)
        return _by_pillow(own, bits=page.bits, colour=page.colour)
    values = samples.grey(alone, page, steps((page.height, page.width), _LEAST_SIDE))
    return _Found(
        values=values,
        size=size,
        bits=page.bits,
        colour=page.colour,
        orientation=page.orientation,
    )


_READERS = {"JPEG": _jpeg, "PNG": _png, "WEBP": _webp, "BMP": _bmp, "TIFF": _tiff}


def _by_pillow(source: _Source, *, bits: int, colour: bool, deep_colour: bool = False) -> _Found:
    with Image.open(io.BytesIO(source.data), formats=[source.format]) as image:
        size = image.size
        _check_size(size, source.limits.max_pixels)
        if image.format == "WEBP" and getattr(image, "is_animated", False):
            raise MultiFrameImage("the file holds several pictures; send one")
        if deep_colour:
            values = png.deep_luma(source.data)
        else:
            image.draft("L", (_LEAST_SIDE, _LEAST_SIDE))
            image.load()
            values = pixels(_one_band(image))
        return _Found(
            values=values,
            size=size,
            bits=bits,
            colour=colour,
            orientation=_orientation(image),
        )


def _one_band(image: Image.Image) -> Image.Image:
    match image.mode:
        case "L" | "I;16" | "I;16B" | "I;16L" | "I;16N":
            return image
        case "LAB":
            return image.convert("RGB").convert("L")
        case "PA" | "La":
            return image.convert("RGBA" if image.mode == "PA" else "LA").convert("L")
        case _:
            return image.convert("L")


def _orientation(image: Image.Image) -> int:
    if any(len(image.info.get(key, "")) > _MAX_EXIF_BYTES for key in _EXIF_KEYS):
        return _UPRIGHT  # no camera writes so much, and reading it costs a hundred times its size
    return int(image.getexif().get(ExifTags.Base.Orientation, _UPRIGHT))
