"""Selects the page of a TIFF file that holds the radiograph, and checks that it is supported.

Rejects unsupported variants by name, before any decoder runs.
"""

import struct
from itertools import islice

from chestxray.errors import (
    MultiFrameImage,
    TruncatedImage,
    UnreadableImage,
    UnsupportedFormat,
    UnsupportedVariant,
)
from chestxray.tiff import (
    FLOAT,
    JPEG,
    NATIVE_BITS,
    NO_COMPRESSION,
    RGB,
    SIGNED,
    UNSIGNED,
    YCBCR,
    Page,
    pages,
)

_MAX_PAGES = 64
_MAX_SAMPLES = 6  # colours, alpha and extra channels

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
_READ_CMYK = ((8, False), (8, True), (16, False))  # (bits, planar)
_WHOLE_BITS = {  # supported bits per sample, by sample format
    UNSIGNED: {*range(1, 17), 24, 32, 64},
    SIGNED: {8, 16, 32, 64},
    FLOAT: {16, 32, 64},
}
_FORMAT_NAMES = {UNSIGNED: "uint", SIGNED: "int", FLOAT: "float"}


def film(data: bytes) -> Page:
    """Returns the only full-size page. Raises MultiFrameImage, UnsupportedVariant or another
    RejectedImage.
    """
    try:
        found = list(islice(pages(data), _MAX_PAGES))
    except struct.error as error:
        raise TruncatedImage("the TIFF file ends before its directory does") from error
    full = [page for page in found if not page.reduced] or found
    largest = max(full, key=lambda page: page.width * page.height)
    rivals = [page for page in full if page is not largest and not _is_thumbnail(page, largest)]
    if rivals or len(found) == _MAX_PAGES:
        raise MultiFrameImage("the TIFF file holds several pictures; send one")
    _check(largest)
    return largest


def alone(data: bytes, page: Page) -> bytes:
    """Returns the file with this page first."""
    start = struct.pack(f"{page.order}I", page.start)
    return data if data[4:8] == start else b"".join([data[:4], start, memoryview(data)[8:]])


def _is_thumbnail(page: Page, of: Page) -> bool:
    return 2 * page.width <= of.width and 2 * page.height <= of.height


def _check(page: Page) -> None:
    if page.camera_raw:
        raise UnsupportedFormat(
            "the file is a camera raw file; export the picture as JPEG, PNG or TIFF",
            found="camera raw",
        )
    if reason := _not_read(page):
        raise UnsupportedVariant(
            f"a TIFF file {reason} is not supported; save the picture as 8-bit or 16-bit TIFF, "
            "greyscale or RGB, with LZW or no compression",
            found=f"TIFF {reason}",
        )
    if not page.width or not page.height or 0 in page.segment or not page.offsets:
        raise UnreadableImage("the TIFF file has a picture without pixels")


def _not_read(page: Page) -> str:
    """Describes why a page is not supported; empty if it is."""
    if page.compression not in _READ_COMPRESSIONS:
        named = _COMPRESSIONS.get(page.compression, f"method {page.compression}")
        return f"compressed with {named}"
    if page.sample_format in _COMPLEX:
        return f"of {_COMPLEX[page.sample_format]}"
    if not page.bits or not page.sample_format:
        return "whose channels differ in depth"
    depth = f"{_FORMAT_NAMES.get(page.sample_format, 'unknown')}{page.bits}"
    match page.photometric:
        case 0 | 1 if page.samples > 2:
            return f"of {page.samples} grey channels"
        case 0 | 1 | 2:
            if page.compression == JPEG and page.bits != 8:
                return f"compressed with JPEG of {page.bits} bits"
            if page.bits not in _WHOLE_BITS.get(page.sample_format, ()):
                return f"of {depth} samples"
            if page.photometric == RGB and not 3 <= page.samples <= _MAX_SAMPLES:
                return f"of RGB with {page.samples} channels"
        case 3 if page.bits > 8 or page.samples > 2 or page.sample_format != UNSIGNED:
            return f"with a palette of {page.bits} bits"
        case 5 if page.sample_format != UNSIGNED or (page.bits, page.planar) not in _READ_CMYK:
            return f"of CMYK in {depth}{' in planes' if page.planar else ''}"
        case 6 if page.bits == 8 and page.subsampled and page.compression != JPEG:
            return "of YCbCr that is subsampled, without JPEG"
        case 6 | 8 if page.bits != 8 or page.samples not in (1, 3) or page.planar:
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
