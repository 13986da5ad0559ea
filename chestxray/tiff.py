"""Parses the directories of a TIFF file into pages (TIFF 6.0)."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from chestxray.errors import (
    MultiFrameImage,
    TruncatedImage,
    UnreadableImage,
)

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR, LAB = 0, 1, 2, 3, 5, 6, 8
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
NO_COMPRESSION, JPEG = 1, 7
HORIZONTAL, FLOATING_POINT = 2, 3
NATIVE_BITS = (8, 16, 32, 64)


class Tag(IntEnum):
    """The fields that this module reads."""

    SUBFILE = 254
    WIDTH = 256
    LENGTH = 257
    BITS = 258
    COMPRESSION = 259
    PHOTOMETRIC = 262
    FILL_ORDER = 266
    STRIP_OFFSETS = 273
    ORIENTATION = 274
    SAMPLES = 277
    ROWS_PER_STRIP = 278
    STRIP_COUNTS = 279
    PLANAR = 284
    PREDICTOR = 317
    COLOUR_MAP = 320
    TILE_WIDTH = 322
    TILE_LENGTH = 323
    TILE_OFFSETS = 324
    TILE_COUNTS = 325
    SUB_IFDS = 330
    SAMPLE_FORMAT = 339
    SUBSAMPLING = 530
    DNG_VERSION = 50706


_READ = frozenset(Tag)
_DESCRIPTION = 270
_SEPARATE = 2  # planes
_PREDICTING = (5, 8, 32946)  # compressions with a predictor: LZW, deflate (two codes)
_NUMBERS = {1: "B", 3: "H", 4: "I", 13: "I"}  # byte, short, long, offset of a directory

# Real directories have fewer than a hundred fields; one strip per row is the sensible maximum.
_MAX_FIELDS = 1000
_MAX_VALUES = 2**17
_MAX_COLOURS = 3 * 2**8
_MAX_DESCRIPTION = 2048
# ImageJ may write a directory only for the first page of a stack.
_STACK = re.compile(rb"\AImageJ=.*^images=(?!1$)\d+$", re.DOTALL | re.MULTILINE)

_CAMERA_RAW = (32803, 34892)  # photometric: a colour filter array, linear raw


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page: the encoding and the location of its samples."""

    start: int  # offset of the directory
    order: str  # byte order, "<" or ">"
    width: int
    height: int
    bits: int  # of each sample
    sample_format: int
    samples: int  # per pixel, alpha included
    photometric: int
    compression: int
    predictor: int
    bits_reversed: bool
    planar: bool
    tiled: bool
    segment: tuple[int, int]  # width and height of a tile or strip
    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    palette: tuple[int, ...]  # all reds, all greens, all blues
    subsampled: bool  # of YCbCr
    orientation: int  # as in EXIF
    reduced: bool  # a thumbnail, a lower level of a pyramid or a mask
    camera_raw: bool

    @property
    def colour(self) -> bool:
        """Whether the pixels are colours, even if all are grey."""
        return self.photometric > BLACK_IS_ZERO

    @property
    def used_predictor(self) -> int:
        """The predictor if the compression supports one, else 1 (none)."""
        return self.predictor if self.compression in _PREDICTING else 1

    @property
    def for_pillow(self) -> bool:
        """Whether Pillow decodes the page: JPEG, CMYK, YCbCr and CIELAB. Of grey, RGB and palettes
        it supports only some depths.
        """
        return self.compression == JPEG or self.photometric > PALETTE


def pages(data: bytes) -> Iterator[Page]:
    """Yields the pages. Raises struct.error or RejectedImage for a malformed directory."""
    order = "<" if data.startswith(b"II") else ">"
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    seen = set[int]()
    while start and start not in seen:
        seen.add(start)
        fields, end = _fields(data, order, start)
        yield _page(fields, order, start)
        # Some writers omit the final offset of 0.
        (start,) = struct.unpack_from(f"{order}I", data, end) if end + 4 <= len(data) else (0,)
    if not seen:
        raise TruncatedImage("the TIFF file has no picture; send the whole file")


def _fields(data: bytes, order: str, start: int) -> tuple[dict[int, tuple[int, ...]], int]:
    (entries,) = struct.unpack_from(f"{order}H", data, start)
    if entries > _MAX_FIELDS:
        raise UnreadableImage(f"the TIFF file has {entries} fields for one picture")
    fields: dict[int, tuple[int, ...]] = {}
    for place in range(start + 2, start + 2 + 12 * entries, 12):
        tag, kind, count = struct.unpack_from(f"{order}HHI", data, place)
        if tag == _DESCRIPTION:
            _check_description(data, order, place, count)
        if tag not in _READ:
            continue
        if tag == Tag.COLOUR_MAP and count > _MAX_COLOURS:
            continue  # a 16-bit palette, which no radiograph has
        if kind not in _NUMBERS or count > _MAX_VALUES:
            raise UnreadableImage(f"the TIFF file has field {tag} as no plain number, or too long")
        layout = f"{order}{count}{_NUMBERS[kind]}"
        inside = struct.calcsize(layout) <= 4
        at = place + 8 if inside else struct.unpack_from(f"{order}I", data, place + 8)[0]
        fields.setdefault(tag, struct.unpack_from(layout, data, at))
    return fields, start + 2 + 12 * entries


def _check_description(data: bytes, order: str, place: int, count: int) -> None:
    (at,) = struct.unpack_from(f"{order}I", data, place + 8)
    if _STACK.match(data[at : at + min(count, _MAX_DESCRIPTION)]):
        raise MultiFrameImage("the TIFF file is an ImageJ stack; send one picture of it")


def _page(fields: dict[int, tuple[int, ...]], order: str, start: int) -> Page:
    def one(tag: int, default: int) -> int:
        return next(iter(fields.get(tag, ())), default)

    width, height = one(Tag.WIDTH, 0), one(Tag.LENGTH, 0)
    rows = min(one(Tag.ROWS_PER_STRIP, height) or height, height)
    tiled = Tag.TILE_OFFSETS in fields
    bits, formats = set(fields.get(Tag.BITS, (1,))), set(fields.get(Tag.SAMPLE_FORMAT, (UNSIGNED,)))
    return Page(
        start=start,
        order=order,
        width=width,
        height=height,
        bits=bits.pop() if len(bits) == 1 else 0,
        sample_format=_sample_format(formats),
        samples=one(Tag.SAMPLES, 1),
        photometric=one(Tag.PHOTOMETRIC, WHITE_IS_ZERO),
        compression=one(Tag.COMPRESSION, NO_COMPRESSION),
        predictor=one(Tag.PREDICTOR, 1),
        bits_reversed=one(Tag.FILL_ORDER, 1) == 2,
        planar=one(Tag.PLANAR, 1) == _SEPARATE and one(Tag.SAMPLES, 1) > 1,
        tiled=tiled,
        segment=(one(Tag.TILE_WIDTH, 0), one(Tag.TILE_LENGTH, 0)) if tiled else (width, rows),
        offsets=fields.get(Tag.TILE_OFFSETS if tiled else Tag.STRIP_OFFSETS, ()),
        counts=fields.get(Tag.TILE_COUNTS if tiled else Tag.STRIP_COUNTS, ()),
        palette=fields.get(Tag.COLOUR_MAP, ()),
        subsampled=fields.get(Tag.SUBSAMPLING, (2, 2)) != (1, 1),
        orientation=one(Tag.ORIENTATION, 1),
        reduced=bool(one(Tag.SUBFILE, 0) & 0b101),
        camera_raw=Tag.DNG_VERSION in fields
        or one(Tag.PHOTOMETRIC, 0) in _CAMERA_RAW
        or (bool(one(Tag.SUBFILE, 0) & 1) and Tag.SUB_IFDS in fields),
    )


def _sample_format(formats: set[int]) -> int:
    """Returns the sample format; 0 if it differs between samples. Untyped data count as
    unsigned.
    """
    known = formats - {4} or {UNSIGNED}
    return known.pop() if len(known) == 1 else 0
