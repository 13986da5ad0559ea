"""Decodes an upload to one greyscale image, or raises an error that says why it cannot.

JPEG, PNG, TIFF, WebP, BMP and DICOM; integers of 1 to 64 bits and floats; greyscale, palette,
alpha, colour, CMYK. Applies the EXIF orientation. Checks the pixel limit before decoding.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from chestxray import containers, film, foreign, readers
from chestxray.errors import (
    BlankImage,
    EmptyImage,
    ImageTooCostly,
    ImageTooLarge,
    ImageTooSmall,
    NotOneFilm,
    RejectedImage,
    TruncatedImage,
    UnreadableImage,
    UnsupportedFormat,
)
from chestxray.greys import Values
from chestxray.limits import DEFAULT_LIMITS, LEAST_FILM_SIDE, Limits
from chestxray.preprocessing import prepare
from chestxray.readers import Found
from chestxray.results import DIGITS, Input
from chestxray.windowing import window

_IMAGES = ("image/", "application/dicom")
"""Media types of which only one is right."""
_ASPECTS = (0.5, 1.9)
"""Range of width over height of a single radiograph; the training images have 0.74 to 1.75."""

TOO_MUCH_MEMORY = (
    "decoding the image takes more memory than any radiograph needs; open it in a viewer and save "
    "it again"
)

_TURNS: dict[int, Callable[[Values], Values]] = {  # EXIF 2.32, tag 0x0112
    2: np.fliplr,
    3: lambda values: np.rot90(values, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda values: np.rot90(values, -1),
    7: lambda values: np.rot90(values, 2).T,
    8: np.rot90,
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
class Raw:
    """Grey values of an image at the bit depth of its file.

    `values` (H, W), larger is brighter, are uint8 for up to 8 bits, else of the file's type or a
    wider one. JPEGs, and large images with 4 bytes per value or more, are at reduced scale.
    """

    values: Values
    orientation: int  # EXIF 2.32, tag 0x0112; 1 is upright
    input: Input


@dataclass(frozen=True)
class Picture:
    """The cropped and windowed radiograph, and a description of its file."""

    image: Image.Image  # mode L, EXIF orientation applied
    input: Input

    @property
    def pixels(self) -> Values:
        """What the networks take: uint8 (1, SIZE, SIZE)."""
        return prepare(self.image)


def decode(
    data: bytes, *, limits: Limits = DEFAULT_LIMITS, media_type: str | None = None
) -> Image.Image:
    """Decodes and windows an image without cropping: mode L, EXIF orientation applied.

    JPEGs are decoded at reduced scale. Raises RejectedImage.
    """
    raw = read(data, limits=limits, media_type=media_type)
    return Image.fromarray(window(_upright(raw)))


def crop_and_window(raw: Raw, *, least_side: int = LEAST_FILM_SIDE) -> Picture:
    """Crops to the radiograph and windows it. Raises ImageTooSmall or NotOneFilm."""
    values = _upright(raw)
    height, width = values.shape
    box = film.find(values)
    reduction = max(raw.input.width, raw.input.height) / max(width, height)
    side = round(min(box.right - box.left, box.bottom - box.top) * reduction)
    if side < least_side:
        raise ImageTooSmall(
            f"the radiograph's shorter side is {side} pixels; at least {least_side} are needed: "
            "send it as it was exported, not a thumbnail"
        )
    aspect = (box.right - box.left) / (box.bottom - box.top)
    if least_side and not _ASPECTS[0] <= aspect <= _ASPECTS[1]:
        raise NotOneFilm(
            f"without borders, the image is {aspect:.2g} times as wide as it is high; a single "
            f"chest radiograph is {_ASPECTS[0]:g} to {_ASPECTS[1]:g} times: send one per image"
        )
    found = raw.input
    if box.area < width * height:
        place = (box.left / width, box.top / height, box.right / width, box.bottom / height)
        found = found.model_copy(update={"film": tuple(round(edge, DIGITS) for edge in place)})
    return Picture(Image.fromarray(window(box.of(values))), found)


def _upright(raw: Raw) -> Values:
    return np.asarray(_TURNS.get(raw.orientation, np.asarray)(raw.values))


def read(data: bytes, *, limits: Limits = DEFAULT_LIMITS, media_type: str | None = None) -> Raw:
    """Decodes the grey values. The content decides the format; `media_type` is the declared type.

    Raises EmptyImage, ImageTooLarge, ImageTooCostly, UnsupportedFormat, UnsupportedVariant,
    PolyglotFile, TruncatedImage, MultiFrameImage, BlankImage, OtherExamination or UnreadableImage.
    """
    format_ = _format_of(data, limits)
    try:
        found = readers.READERS[format_](data, limits)
    except RejectedImage:
        raise
    except MemoryError as error:
        raise ImageTooCostly(TOO_MUCH_MEMORY) from error
    # On crafted input decoders raise almost any exception.
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
            f"found {kind.name}, which is not supported; {kind.advice}", found=kind.name
        )
    if format_ is None:
        allowed = ", ".join(containers.MEDIA_TYPES)
        raise UnsupportedFormat(f"the file is not an image in a supported format ({allowed})")
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
        film=None,
        mislabelled=declared.startswith(_IMAGES) and declared != actual,
    )


def _check_values(values: Values) -> None:
    if values.dtype.kind == "f":
        known = np.isfinite(values)
        if not known.any():
            raise BlankImage("no pixel has a finite value; all are NaN or infinite")
        low, high = (
            values.min(initial=np.inf, where=known),
            values.max(initial=-np.inf, where=known),
        )
    else:
        low, high = values.min(), values.max()
    if low == high:
        raise BlankImage(f"every pixel has the same value, {low}; check the export")
