"""What the pages of a TIFF file are (TIFF 6.0), which of them is the film, and whether it is read.

A page is described by its own directory alone. Whatever is not read is refused by its name, before
a decoder sees it.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from chestxray.errors import (
    MultiFrameImage,
    TruncatedImage,
    UnreadableImage,
    UnsupportedFormat,
    UnsupportedVariant,
)

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR, LAB = 0, 1, 2, 3, 5, 6, 8
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
NO_COMPRESSION, JPEG = 1, 7
HORIZONTAL, FLOATING_POINT = 2, 3
NATIVE_BITS = (8, 16, 32, 64)

_SUBFILE, _DESCRIPTION, _SUB_IFDS, _DNG_VERSION = 254, 270, 330, 50706
_WIDTH, _LENGTH, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 256, 257, 258, 259, 262, 266
_STRIP_OFFSETS, _ORIENTATION, _SAMPLES, _ROWS_PER_STRIP = 273, 274, 277, 278
_STRIP_COUNTS, _PLANAR = 279, 284
_PREDICTOR, _TILE_WIDTH, _TILE_LENGTH, _TILE_OFFSETS, _TILE_COUNTS = 317, 322, 323, 324, 325
_SAMPLE_FORMAT = 339
_SEPARATE = 2  # planes
_PREDICTING = (5, 8, 32946)  # compressions: LZW, deflate by both of its numbers
_READ = {
    *(_SUBFILE, _SUB_IFDS, _DNG_VERSION, _WIDTH, _LENGTH, _BITS, _COMPRESSION, _PHOTOMETRIC),
    *(
        _FILL_ORDER,
        _STRIP_OFFSETS,
        _ORIENTATION,
        _SAMPLES,
        _ROWS_PER_STRIP,
        _STRIP_COUNTS,
        _PLANAR,
        _PREDICTOR,
    ),
    *(_TILE_WIDTH, _TILE_LENGTH, _TILE_OFFSETS, _TILE_COUNTS, _SAMPLE_FORMAT),
}
_NUMBERS = {1: "B", 3: "H", 4: "I", 13: "I"}  # byte, short, long, offset of a directory

# Real directories have fewer than a hundred fields; one strip a row is the most that is sensible.
_MAX_FIELDS = 1000
_MAX_VALUES = 2**17
_MAX_PAGES = 64
_MAX_DESCRIPTION = 2048
# ImageJ may describe a whole stack by its first page.
_STACK = re.compile(rb"\AImageJ=.*^images=(?!1$)\d+$", re.DOTALL | re.MULTILINE)

_COMPRESSIONS = {
    2: "fax",
    3: "fax",
    4: "fax",
    6: "old-style JPEG",
    34712: "JPEG 2000",
    34887: "LERC",
    34925: "LZMA",
    50000: "Zstandard",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34661: "JBIG",
    34713: "Nikon's raw",
}
_READ_COMPRESSIONS = (NO_COMPRESSION, 5, JPEG, 8, 32946, 32773)
_COMPLEX = {5: "complex integers", 6: "complex numbers"}
_CAMERA_RAW = (32803, 34892)  # photometric: a colour filter array, linear raw
_WHOLE_BITS = {  # that samples may have, by their format; up to 16 bits any integer is unpacked
    UNSIGNED: {*range(1, 17), 24, 32, 64},
    SIGNED: {8, 16, 32, 64},
    FLOAT: {16, 32, 64},
}
_FORMAT_NAMES = {UNSIGNED: "uint", SIGNED: "int", FLOAT: "float"}


@dataclass(frozen=True, kw_only=True)
class Page:
    """One picture: how its samples are coded and where they lie."""

    start: int
    order: str  # as struct and numpy spell it
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
    orientation: int  # as EXIF has it
    reduced: bool  # a thumbnail, a lower level of a pyramid or a mask
    camera_raw: bool

    @property
    def colour(self) -> bool:
        """Whether it has colours, grey ones perhaps."""
        return self.photometric > BLACK_IS_ZERO

    @property
    def used_predictor(self) -> int:
        """The predictor, where the compression has one."""
        return self.predictor if self.compression in _PREDICTING else 1

    @property
    def for_pillow(self) -> bool:
        """Pillow decodes JPEG and its colour spaces; of grey and RGB it knows few depths."""
        return self.compression == JPEG or self.photometric not in (
            *(WHITE_IS_ZERO, BLACK_IS_ZERO, RGB),
        )


def film(data: bytes) -> Page:
    """Returns the only page of full size. Raises RejectedImage where it is not read, by name."""
    try:
        pages = list(islice(_pages(data), _MAX_PAGES))
    except struct.error as error:
        raise TruncatedImage("the TIFF file ends before its directory does") from error
    full = [page for page in pages if not page.reduced] or pages
    found = max(full, key=lambda page: page.width * page.height)
    rivals = [page for page in full if page is not found and not _is_thumbnail(page, found)]
    if rivals or len(pages) == _MAX_PAGES:
        raise MultiFrameImage("the TIFF file holds several pictures; send one")
    _check(found)
    return found


def alone(data: bytes, page: Page) -> bytes:
    """The file with this page as its first."""
    start = struct.pack(f"{page.order}I", page.start)
    return data if data[4:8] == start else b"".join([data[:4], start, memoryview(data)[8:]])


def _is_thumbnail(page: Page, of: Page) -> bool:
    return 2 * page.width <= of.width and 2 * page.height <= of.height


def _pages(data: bytes) -> Iterator[Page]:
    order = "<" if data.startswith(b"II") else ">"
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    seen = set[int]()
    while start and start not in seen:
        seen.add(start)
        fields, end = _fields(data, order, start)
        yield _page(fields, order, start)
        # Some writers leave out that nothing follows.
        (start,) = struct.unpack_from(f"{order}I", data, end) if end + 4 <= len(data) else (0,)
    if not seen:
        raise TruncatedImage("the TIFF file has no picture; send it whole")


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
        raise MultiFrameImage("the TIFF file is a stack of ImageJ; send one picture of it")


def _page(fields: dict[int, tuple[int, ...]], order: str, start: int) -> Page:
    def one(tag: int, default: int) -> int:
        return next(iter(fields.get(tag, ())), default)

    width, height = one(_WIDTH, 0), one(_LENGTH, 0)
    rows = min(one(_ROWS_PER_STRIP, height) or height, height)
    tiled = _TILE_OFFSETS in fields
    bits, formats = set(fields.get(_BITS, (1,))), set(fields.get(_SAMPLE_FORMAT, (UNSIGNED,)))
    return Page(
        start=start,
        order=order,
        width=width,
        height=height,
        bits=bits.pop() if len(bits) == 1 else 0,
        sample_format=_sample_format(formats),
        samples=one(_SAMPLES, 1),
        photometric=one(_PHOTOMETRIC, WHITE_IS_ZERO),
        compression=one(_COMPRESSION, NO_COMPRESSION),
        predictor=one(_PREDICTOR, 1),
        bits_reversed=one(_FILL_ORDER, 1) == 2,
        planar=one(_PLANAR, 1) == _SEPARATE and one(_SAMPLES, 1) > 1,
        tiled=tiled,
        segment=(one(_TILE_WIDTH, 0), one(_TILE_LENGTH, 0)) if tiled else (width, rows),
        offsets=fields.get(_TILE_OFFSETS if tiled else _STRIP_OFFSETS, ()),
        counts=fields.get(_TILE_COUNTS if tiled else _STRIP_COUNTS, ()),
        orientation=one(_ORIENTATION, 1),
        reduced=bool(one(_SUBFILE, 0) & 0b101),
        camera_raw=_DNG_VERSION in fields
        or one(_PHOTOMETRIC, 0) in _CAMERA_RAW
        or (bool(one(_SUBFILE, 0) & 1) and _SUB_IFDS in fields),
    )


def _sample_format(formats: set[int]) -> int:
    """Untyped data are numbers; what differs from sample to sample is none that is read."""
    known = formats - {4} or {UNSIGNED}
    return known.pop() if len(known) == 1 else 0


def _check(page: Page) -> None:
    if page.camera_raw:
        raise UnsupportedFormat(
            "the file is a camera's raw file; export the picture as JPEG, PNG or TIFF",
            found="camera raw",
        )
    if reason := _not_read(page):
        raise UnsupportedVariant(
            f"a TIFF file {reason} is not read; save the picture as TIFF of 8 or 16 bits, "
            "greyscale or RGB, with LZW or no compression",
            found=f"TIFF {reason}",
        )
    if not page.width or not page.height or 0 in page.segment or not page.offsets:
        raise UnreadableImage("the TIFF file has a picture without pixels")


def _not_read(page: Page) -> str:
    """What about a page is not read, in words; empty where it is read."""
    if page.compression not in _READ_COMPRESSIONS:
        named = _COMPRESSIONS.get(page.compression, f"method {page.compression}")
        return f"compressed with {named}"
    if page.sample_format in _COMPLEX:
        return f"of {_COMPLEX[page.sample_format]}"
    if not page.bits or not page.sample_format:
        return "whose channels differ in depth"
    depth = f"{_FORMAT_NAMES.get(page.sample_format, 'unknown')}{page.bits}"
    match page.photometric:
        case 0 | 1 | 2:
            if page.compression == JPEG and page.bits != 8:
                return f"compressed with JPEG of {page.bits} bits"
            if page.bits not in _WHOLE_BITS.get(page.sample_format, ()):
                return f"of {depth} samples"
            if page.photometric == RGB and page.samples < 3:
                return f"of RGB with {page.samples} channels"
        case 3 if page.bits > 8 or page.samples > 2:
            return f"with a palette of {page.bits} bits"
        case 5 if page.bits not in (8, 16) or page.sample_format != UNSIGNED:
            return f"of CMYK in {depth}"
        case 6 | 8 if page.bits != 8 or page.samples not in (1, 3):
            return f"of {'YCbCr' if page.photometric == YCBCR else 'CIELAB'} in {depth}"
        case 3 | 5 | 6 | 8:
            pass
        case other:
            return f"of colour space {other}"
    return _predictor_not_read(page)


def _predictor_not_read(page: Page) -> str:
    match page.used_predictor:
        case 1:
            return ""
        case 2 if page.bits in NATIVE_BITS:
            return ""
        case 3 if page.sample_format == FLOAT:
            return ""
        case other:
            return f"with predictor {other} of {page.bits} bits"
