"""From the bytes of an upload to one greyscale picture, or a clear reason why not.

JPEG, PNG, TIFF, WebP and BMP; 8 and 16 bit; greyscale, palette, alpha, colour, CMYK; EXIF
orientation applied. Limits on pixels hold before a pixel is decoded.
"""

import io
import logging
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, ImageOps
from PIL.TiffImagePlugin import TiffImageFile

from chestxray import containers
from chestxray.errors import (
    EmptyImage,
    ImageTooLarge,
    MislabelledImage,
    MultiFrameImage,
    TruncatedImage,
    UnreadableImage,
    UnsupportedDepth,
    UnsupportedFormat,
)
from chestxray.preprocessing import SIZE
from chestxray.windowing import steps, window

# Pillow warns of damaged metadata, which is not used here, and would name it in the log.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").setLevel(logging.CRITICAL)

# Our own limit is checked between header and pixels, with a message that names it.
Image.MAX_IMAGE_PIXELS = None

# Its decoder takes 16 bytes per pixel, four times what the others need.
_WEBP_COST = 4

# Half of the reduction stays with the antialiased resize: decoding to exactly SIZE would alias.
_DRAFT_SIZE = (2 * SIZE, 2 * SIZE)


# Of 8 bits, made of the upper ones of 16: less than a quarter of white means 14 bits or fewer.
_DARKEST_WHITE = 64
_TIFF_PHOTOMETRIC = 262
_EXIF_KEYS = ("exif", "Raw profile type exif")
_MAX_EXIF_BYTES = 2**16  # what fits into a JPEG

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
    "image/*": "",
}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How large an image may be."""

    max_bytes: int = 32 * 2**20
    max_pixels: int = 4096 * 4096

    @property
    def max_webp_pixels(self) -> int:
        """Fewer, since its decoder needs more memory for each."""
        return self.max_pixels // _WEBP_COST


DEFAULT_LIMITS = Limits()


def decode(
    data: bytes, *, limits: Limits = DEFAULT_LIMITS, media_type: str | None = None
) -> Image.Image:
    """Decodes to mode L, upright by EXIF; a JPEG at reduced scale, not under twice SIZE.

    `media_type` is what the sender declared; only an image type that contradicts the bytes counts.
    Raises EmptyImage, ImageTooLarge, UnsupportedFormat, MislabelledImage, PolyglotFile,
    TruncatedImage, MultiFrameImage or UnreadableImage.
    """
    if not data:
        raise EmptyImage("the image has no bytes")
    if len(data) > limits.max_bytes:
        raise ImageTooLarge(
            f"image is {len(data)} bytes; the limit is {limits.max_bytes}", limit=limits.max_bytes
        )
    format_ = _format_of(data, media_type)
    containers.check(data, format_)
    if format_ == "WEBP":
        _check_size(containers.webp_size(data), limits.max_webp_pixels)
    try:
        with Image.open(io.BytesIO(data), formats=[format_]) as image:
            _check_header(image, limits)
            image.draft("L", _DRAFT_SIZE)
            rawmode = str(image.tile[0].args) if image.tile else ""
            image.load()
            return _upright(_greyscale(image, rawmode), image)
    except (ImageTooLarge, MultiFrameImage, UnsupportedDepth):
        raise
    # Pillow's plugins raise nearly any exception on crafted input, MemoryError included.
    except Exception as error:
        if "truncated" in str(error):
            raise TruncatedImage(f"the {format_} image data ends early; send it whole") from error
        raise UnreadableImage(f"the {format_} image cannot be decoded; it is damaged") from error


def _format_of(data: bytes, media_type: str | None) -> str:
    allowed = ", ".join(containers.MEDIA_TYPES)
    format_ = containers.sniff(data)
    if format_ is None:
        raise UnsupportedFormat(f"the bytes are no image in a format that is read here ({allowed})")
    found, declared = containers.MEDIA_TYPES[format_], _canonical(media_type)
    if declared.startswith("image/") and declared != found:
        raise MislabelledImage(f"the image is declared as {declared} but is {found}")
    return format_


def _canonical(media_type: str | None) -> str:
    essence = (media_type or "").partition(";")[0].strip().lower()
    return _ALIASES.get(essence, essence)


def _check_header(image: Image.Image, limits: Limits) -> None:
    _check_size(image.size, limits.max_pixels)
    # A JPEG of a phone carries previews and gain maps behind its picture (MPO): the first counts.
    # Frames are not counted, which would walk through all of the file.
    if image.format not in ("JPEG", "MPO") and getattr(image, "is_animated", False):
        raise MultiFrameImage("the file holds several pictures; send one")


def _check_size(size: tuple[int, int], limit: int) -> None:
    width, height = size
    if width * height > limit:
        raise ImageTooLarge(
            f"image is {width}x{height} = {width * height} pixels; the limit is {limit}",
            limit=limit,
        )


def _greyscale(image: Image.Image, rawmode: str) -> Image.Image:
    match image.mode:
        case "L":
            return image
        case "P" | "PA":
            return image.convert("RGBA").convert("L")
        case "I" | "F":
            return Image.fromarray(window(np.asarray(_shrunk(image))))
        case "I;16" | "I;16L" | "I;16B" | "I;16N":
            grey = Image.fromarray(window(np.asarray(image)))
            return ImageOps.invert(grey) if _white_is_zero(image) else grey
        case "LAB" | "HSV":
            return image.convert("RGB").convert("L")
        case _:
            grey = image.convert("L")
            if ";16" in rawmode and np.asarray(grey).max() < _DARKEST_WHITE:
                raise UnsupportedDepth(
                    "the image is 16-bit colour or alpha and uses the lower bits only; "
                    "send 16-bit greyscale without alpha, or 8 bits"
                )
            return grey


def _shrunk(image: Image.Image) -> Image.Image:
    """Averages whole blocks of pixels, as decoding a JPEG at reduced scale does."""
    across, down = steps(image.size, 2 * SIZE)
    return image.reduce((across, down))


def _white_is_zero(image: Image.Image) -> bool:
    """Whether a TIFF stores its brightest pixels as 0, which Pillow heeds in 8 bits only."""
    return isinstance(image, TiffImageFile) and image.tag_v2.get(_TIFF_PHOTOMETRIC) == 0


def _upright(grey: Image.Image, source: Image.Image) -> Image.Image:
    if any(len(source.info.get(key, "")) > _MAX_EXIF_BYTES for key in _EXIF_KEYS):
        return grey  # no camera writes so much, and reading it would take a hundred times its size
    turn = _TRANSPOSE.get(source.getexif().get(ExifTags.Base.Orientation, 1))
    return grey if turn is None else grey.transpose(turn)
