"""Readers from file bytes to grey values, one per format: variant, container, pixels.

Pillow decodes the variants that it decodes correctly and at full depth; our modules decode the
others or reject them by name.
"""

import io
import logging
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from PIL import ExifTags, Image

from chestxray import bmp, containers, costs, jpeg, pages, png, samples
from chestxray.dicom import dataset, examination, film
from chestxray.errors import ImageTooLarge, MultiFrameImage
from chestxray.greys import Values, pixels
from chestxray.limits import Limits
from chestxray.preprocessing import SIZE
from chestxray.windowing import steps

# Pillow and pydicom would warn of damaged metadata, which is not used here.
warnings.filterwarnings("ignore", module=r"(PIL|pydicom)\.")
logging.getLogger("PIL").setLevel(logging.CRITICAL)

# We check our own limit after the header and before the pixels.
Image.MAX_IMAGE_PIXELS = None

UPRIGHT = 1
"""EXIF orientation (EXIF 2.32, tag 0x0112)."""

_MAX_SIDE = 2**15
"""Maximum width and height in pixels: decoders buffer whole rows."""

_LEAST_SIDE = 2 * SIZE
"""Minimum shorter side after scaled decoding. Decoding to exactly SIZE would alias; the antialiased
resize does the last factor of two."""

_MAX_WHOLE_PIXELS = 2**23
"""TIFFs up to this many pixels keep full resolution at any depth, so that depth does not change the
result; larger ones with 4 bytes per value or more are averaged, to save memory."""

_EXIF_KEYS = ("exif", "Raw profile type exif")
_XMP_KEYS = ("xmp", "XML:com.adobe.xmp")
_MAX_EXIF_BYTES = 2**16  # the maximum in a JPEG


@dataclass(frozen=True, kw_only=True)
class Found:
    """Grey values (H, W) and facts about the file; `size` is (width, height)."""

    values: Values
    size: tuple[int, int]
    bits: int
    colour: bool
    orientation: int = UPRIGHT


def _check_size(size: tuple[int, int], limit: int) -> None:
    width, height = size
    if max(width, height) > _MAX_SIDE:
        raise ImageTooLarge(
            f"image is {width}x{height} pixels; the limit is {_MAX_SIDE} along a side",
            limit=_MAX_SIDE,
        )
    if width * height > limit:
        raise ImageTooLarge(
            f"image is {width}x{height} = {width * height} pixels; the limit is {limit}",
            limit=limit,
        )


def _check(data: bytes, format_: str, max_pixels: int) -> None:
    """Checks structure, size and decoding cost before decoding. Raises RejectedImage."""
    found = containers.check(data, format_)
    _check_size(found.size, max_pixels)
    costs.check(found.seconds, len(data))


def _jpeg(data: bytes, limits: Limits) -> Found:
    frame = jpeg.frame(data)
    _check(data, "JPEG", limits.max_pixels)
    colour = frame is not None and frame.components > 1
    return _by_pillow(data, "JPEG", limits.max_pixels, bits=8, colour=colour)


def _png(data: bytes, limits: Limits) -> Found:
    header = png.header(data)
    _check(data, "PNG", limits.max_pixels)
    plain, deep = png.plain(data), header.deep_colour
    bits, colour = header.bits, header.colour
    return _by_pillow(plain, "PNG", limits.max_pixels, bits=bits, colour=colour, deep=deep)


def _webp(data: bytes, limits: Limits) -> Found:
    most = limits.max_webp_pixels
    _check(data, "WEBP", most)
    return _by_pillow(data, "WEBP", most, bits=8, colour=True)


def _bmp(data: bytes, limits: Limits) -> Found:
    header = bmp.header(data)
    _check(data, "BMP", limits.max_pixels)
    size = header.width, header.height
    _check_size(size, limits.max_pixels)
    bits, colour = header.bits_of_sample, header.bits > 8
    if header.for_pillow:
        return _by_pillow(data, "BMP", limits.max_pixels, bits=bits, colour=colour)
    return Found(values=bmp.grey(data, header), size=size, bits=bits, colour=colour)


def _tiff(data: bytes, limits: Limits) -> Found:
    page = pages.film(data)
    alone = pages.alone(data, page)
    _check(alone, "TIFF", limits.max_pixels)
    size = page.width, page.height
    _check_size(size, limits.max_pixels)
    if page.for_pillow:
        return _by_pillow(alone, "TIFF", limits.max_pixels, bits=page.bits, colour=page.colour)
    large = page.width * page.height > _MAX_WHOLE_PIXELS
    blocks = steps((page.height, page.width), _LEAST_SIDE) if large else (1, 1)
    values = samples.grey(alone, page, blocks)
    return Found(
        values=values,
        size=size,
        bits=page.bits,
        colour=page.colour,
        orientation=page.orientation,
    )


def _dicom(data: bytes, limits: Limits) -> Found:
    containers.check_dicom(data)
    header = dataset.parse(data, max_bytes=limits.max_bytes)
    examination.check(header, secondary_capture=limits.secondary_capture)
    found = film.find(header)
    _check_size(found.size, limits.max_pixels)
    costs.check(found.seconds, len(data), most=math.inf)
    return Found(values=found.grey(), size=found.size, bits=found.bits, colour=found.colour)


READERS: dict[str, Callable[[bytes, Limits], Found]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WEBP": _webp,
    "BMP": _bmp,
    "TIFF": _tiff,
    "DICOM": _dicom,
}


def _by_pillow(
    data: bytes, format_: str, max_pixels: int, *, bits: int, colour: bool, deep: bool = False
) -> Found:
    with Image.open(io.BytesIO(data), formats=[format_]) as image:
        size = image.size
        _check_size(size, max_pixels)
        if image.format == "WEBP" and getattr(image, "is_animated", False):
            raise MultiFrameImage("the file holds several pictures; send one")
        if deep:
            values = png.deep_luma(data)
        else:
            image.draft("L", (_LEAST_SIDE, _LEAST_SIDE))
            image.load()
            values = pixels(_one_band(image))
        return Found(
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
    for key in _XMP_KEYS:  # Pillow would apply XMP orientation, browsers do not
        image.info.pop(key, None)
    if any(len(image.info.get(key, "")) > _MAX_EXIF_BYTES for key in _EXIF_KEYS):
        return UPRIGHT  # no camera writes that much, and parsing it takes a hundred times its size
    return int(image.getexif().get(ExifTags.Base.Orientation, UPRIGHT))
