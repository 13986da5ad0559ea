"""From the bytes of an upload to one greyscale picture, or a clear reason why not.

JPEG, PNG, TIFF, WebP and BMP; 8 and 16 bit; greyscale, palette, alpha, colour, CMYK; EXIF
orientation applied. Limits on pixels hold before a pixel is decoded.
"""

import io
import logging
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps
from PIL.TiffImagePlugin import TiffImageFile

from chestxray import containers, costs
from chestxray.errors import (
    EmptyImage,
    ImageTooCostly,
    ImageTooLarge,
    MislabelledImage,
    MultiFrameImage,
    TruncatedImage,
    UnreadableImage,
    UnsupportedDepth,
    UnsupportedFormat,
)
from chestxray.preprocessing import SIZE

# Pillow warns of damaged metadata, which is not used here, and would name it in the log.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").setLevel(logging.CRITICAL)

# Our own limit is checked between header and pixels, with a message that names it.
Image.MAX_IMAGE_PIXELS = None

TOO_MUCH_MEMORY = (
    "decoding it takes more memory than any film; open it in a viewer and save it anew"
)

# Its decoder takes 16 bytes per pixel, four times what the others need.
_WEBP_COST = 4

# Decoders hold some rows besides the picture; no film has longer ones.
_MAX_SIDE = 2**15

# Half of the reduction stays with the antialiased resize: decoding to exactly SIZE would alias.
_DRAFT_SIZE = (2 * SIZE, 2 * SIZE)

# Windowing ignores this share of the darkest and of the brightest pixels (burned-in labels).
_WINDOW_PERCENTILES = (0.1, 99.9)
_WINDOW_SAMPLE_SIDE = 512
# No radiograph is longer than so many times its width: one that is loses detail along its length
# before it takes memory for all of its pixels.
_LONGEST_ASPECT = 4

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
    found = containers.check(data, format_)
    _check_size(found.size, limits.max_webp_pixels if format_ == "WEBP" else limits.max_pixels)
    costs.check(found.seconds, len(data))
    try:
        with Image.open(io.BytesIO(data), formats=[format_]) as image:
            _check_header(image, limits)
            image.draft("L", _DRAFT_SIZE)
            rawmode = str(image.tile[0].args) if image.tile else ""
            image.load()
            return _upright(_greyscale(image, rawmode), image)
    except (ImageTooLarge, MultiFrameImage, UnsupportedDepth):
        raise
    except MemoryError as error:
        raise ImageTooCostly(TOO_MUCH_MEMORY) from error
    # Pillow's plugins raise nearly any exception on crafted input.
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
    across, down = _steps(image.size, 2 * SIZE)
    return image.reduce((across, down))


def _steps(size: tuple[int, int], least: int) -> tuple[int, int]:
    """How many pixels count as one along each side, so that at least so many are left of them."""
    step = max(1, min(size) // least)
    first, second = (max(step, side // (_LONGEST_ASPECT * least)) for side in size)
    return first, second


def _white_is_zero(image: Image.Image) -> bool:
    """Whether a TIFF stores its brightest pixels as 0, which Pillow heeds in 8 bits only."""
    return isinstance(image, TiffImageFile) and image.tag_v2.get(_TIFF_PHOTOMETRIC) == 0


@np.errstate(invalid="ignore", over="ignore")  # crafted floats, which numpy would name in the log
def window(values: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Maps values of any range (H, W) linearly to 8 bits, clipping the extreme permille."""
    height, width = values.shape
    down, across = _steps((height, width), _WINDOW_SAMPLE_SIDE)
    sample = values[::down, ::across].astype(np.float64)
    finite = sample[np.isfinite(sample)]
    low, high = np.percentile(finite, _WINDOW_PERCENTILES) if finite.size else (0.0, 0.0)
    scale = 255.0 / (high - low) if high > low else 0.0
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        table = _to_bytes(np.arange(2**16), low, scale)
        return np.asarray(table[values])
    return _to_bytes(values, low, scale)


def _to_bytes(values: npt.NDArray[np.generic], low: float, scale: float) -> npt.NDArray[np.uint8]:
    scaled = (values.astype(np.float32) - np.float32(low)) * np.float32(scale)
    return np.asarray(np.clip(np.nan_to_num(scaled), 0, 255).round(), np.uint8)


def _upright(grey: Image.Image, source: Image.Image) -> Image.Image:
    if any(len(source.info.get(key, "")) > _MAX_EXIF_BYTES for key in _EXIF_KEYS):
        return grey  # no camera writes so much, and reading it would take a hundred times its size
    turn = _TRANSPOSE.get(source.getexif().get(ExifTags.Base.Orientation, 1))
    return grey if turn is None else grey.transpose(turn)
