"""Decoding cost of a TIFF file (TIFF 6.0), from its directories.

Decoders read whole strips and tiles, wherever they are: a crafted file may have many at one offset,
or tiles far larger than the image.
"""

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chestxray import costs
from chestxray.errors import TruncatedImage, UnreadableImage
from chestxray.segments import Structure, jpeg

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Bytes per value, by field type; unknown types count as 8."""
_BYTES = (1, 2, 6, 7)
_NUMBERS = {3: "u2", 4: "u4", 13: "u4"}  # short, long, offset of a directory

_WIDTH, _LENGTH, _BITS, _COMPRESSION, _SAMPLES = 256, 257, 258, 259, 277
_STRIP_OFFSETS, _ROWS_PER_STRIP, _STRIP_COUNTS, _PLANAR = 273, 278, 279, 284
_TILE_WIDTH, _TILE_LENGTH, _TILE_OFFSETS, _TILE_COUNTS, _JPEG_TABLES = 322, 323, 324, 325, 347
_DIRECTORIES = (34665, 34853, 40965)  # EXIF, GPS, interoperability
_ONE = {_WIDTH, _LENGTH, _COMPRESSION, _SAMPLES, _ROWS_PER_STRIP, _PLANAR, _TILE_WIDTH} | {
    *(_TILE_LENGTH, *_DIRECTORIES),
}
_SEVERAL = {_BITS, _STRIP_OFFSETS, _STRIP_COUNTS, _TILE_OFFSETS, _TILE_COUNTS}
_SEPARATE = 2  # planes
_PLAIN, _JPEG = 1, 7
# None, LZW, JPEG, deflate (two codes), PackBits. The fax decoders continue after each damaged row
# and write a line to standard error for it; the others are rare, and some allocate memory as they
# like.
_COMPRESSIONS = (_PLAIN, 5, _JPEG, 8, 32946, 32773)
_DEPTH = 3
_MAX_PAGES = 64
# One strip per row is the sensible maximum: an offset and a byte count each.
_MAX_VALUES = 2**17
_MAX_TILE_PIXELS = 4096 * 4096

Numbers = npt.NDArray[np.integer]


@dataclass(frozen=True)
class _Directory:
    """The fields of a directory that determine the decoding cost."""

    fields: dict[int, Numbers]
    tables: bytes  # JPEG tables
    seconds: float  # to read all fields
    end: int  # offset behind the last field

    def one(self, tag: int, default: int) -> int:
        """Returns the first value of a field."""
        values = self.fields.get(tag)
        return default if values is None or not len(values) else int(values[0])


def tiff(data: bytes) -> Structure:
    """Walks the pages; `seconds` is the cost of the costliest one.

    Raises UnreadableImage, or TruncatedImage if a directory is incomplete.
    """
    order = "<" if data.startswith(b"II") else ">"
    size, seconds, seen = (0, 0), 0.0, set[int]()
    try:
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        while start and start not in seen and len(seen) < _MAX_PAGES:
            found = _directory(data, order, start, _DEPTH)
            width, height = page = found.one(_WIDTH, 0), found.one(_LENGTH, 0)
            if not seen or width * height > size[0] * size[1]:
                size = page
            seconds = max(seconds, found.seconds + _pixels(data, found))
            seen.add(start)
            # Some writers omit the final offset of 0.
            after = data[found.end : found.end + 4].ljust(4, b"\0")
            (start,) = struct.unpack(f"{order}I", after)
    except (struct.error, ValueError) as error:
        raise TruncatedImage("the TIFF file ends before its directory does") from error
    return Structure(len(data), size, seconds)


def _directory(data: bytes, order: str, start: int, depth: int) -> _Directory:
    (entries,) = struct.unpack_from(f"{order}H", data, start)
    fields: dict[int, Numbers] = {}
    numbers = outside = 0
    tables = b""
    for place in range(start + 2, start + 2 + 12 * entries, 12):
        tag, kind, count, at = struct.unpack_from(f"{order}HHII", data, place)
        size = count * _SIZES.get(kind, 8)
        numbers += 0 if kind in _BYTES else count
        outside += size if size > 4 else 0
        if numbers > _MAX_VALUES or outside > len(data):
            raise UnreadableImage("the TIFF file has too many values, or has them twice")
        if tag == _JPEG_TABLES:
            tables = data[at : at + count]
        if tag not in _ONE | _SEVERAL:
            continue
        # Decoders accept more types, and disagree on which of two duplicate fields applies.
        if tag in fields or kind not in _NUMBERS or (tag in _ONE and count != 1):
            raise UnreadableImage(f"the TIFF file has field {tag} twice, or as no plain number")
        fields[tag] = np.frombuffer(
            data, f"{order}{_NUMBERS[kind]}", count, at if size > 4 else place + 8
        )
    for tag in _DIRECTORIES:
        if tag in fields and depth:
            _directory(data, order, int(fields[tag][0]), depth - 1)
    seconds = entries * costs.TIFF_FIELD + numbers * costs.TIFF_VALUE
    return _Directory(fields, tables, seconds, start + 2 + 12 * entries)


def _pixels(data: bytes, found: _Directory) -> float:
    """Seconds to decode all strips or tiles of a page. Raises UnreadableImage."""
    compression = found.one(_COMPRESSION, _PLAIN)
    if compression not in _COMPRESSIONS:
        raise UnreadableImage(
            "the TIFF file has an unusual compression; save it with LZW or uncompressed"
        )
    segments, decoded = _segments(found)
    counts = found.fields.get(_TILE_COUNTS if _TILE_OFFSETS in found.fields else _STRIP_COUNTS)
    # Without byte counts, each may be as long as the file.
    coded = segments * len(data) if counts is None else int(counts.clip(max=len(data)).sum())
    each = costs.TIFF_PLAIN_SEGMENT if compression == _PLAIN else costs.TIFF_SEGMENT
    seconds = segments * each + coded * costs.TIFF_CODED_BYTE + decoded * costs.TIFF_DECODED_BYTE
    if compression == _JPEG:
        seconds += _jpegs(data, found, coded)
    return seconds + found.one(_WIDTH, 0) * found.one(_LENGTH, 0) * costs.PIXEL


def _segments(found: _Directory) -> tuple[int, int]:
    """Returns the number of strips or tiles, and their decoded size in bytes."""
    width, height = found.one(_WIDTH, 0), found.one(_LENGTH, 0)
    samples, bits = found.one(_SAMPLES, 1), int(max(found.fields.get(_BITS, [1])))
    planes = samples if found.one(_PLANAR, 1) == _SEPARATE else 1
    tiled = _TILE_OFFSETS in found.fields
    # With both, a decoder that checks the tile size reads tiles, one that checks offsets strips.
    if any((tag in found.fields) != tiled for tag in (_TILE_WIDTH, _TILE_LENGTH)) or (
        tiled and _STRIP_OFFSETS in found.fields
    ):
        raise UnreadableImage("the TIFF file has strips and tiles, or tiles without a size")
    across, down = width, min(height, found.one(_ROWS_PER_STRIP, height) or height)
    if tiled:
        across, down = found.one(_TILE_WIDTH, 0), found.one(_TILE_LENGTH, 0)
    if across * down > _MAX_TILE_PIXELS and tiled:
        raise UnreadableImage("the TIFF file has too large tiles")
    if not across or not down:
        return 0, 0
    count = -(-width // across) * -(-height // down) * planes
    listed = len(found.fields.get(_TILE_OFFSETS if tiled else _STRIP_OFFSETS, ()))
    rows = -(-height // down) * down if tiled else height  # the last strip may be shorter
    row = -(-across * bits * samples // (8 * planes)) * -(-width // across)
    return max(count, listed), planes * rows * row


def _jpegs(data: bytes, found: _Directory, coded: int) -> float:
    """Seconds to decode strips or tiles that are JPEGs, each by the size in its own header."""
    tiled = _TILE_OFFSETS in found.fields
    offsets = found.fields.get(_TILE_OFFSETS if tiled else _STRIP_OFFSETS, np.empty(0, int))
    counts = found.fields.get(_TILE_COUNTS if tiled else _STRIP_COUNTS)
    if coded > len(data) or (counts is None and len(offsets)) or jpeg(found.tables).seconds > 1e-3:
        raise UnreadableImage("the TIFF file has JPEG tiles that overlap, or a picture as tables")
    spans = zip(offsets.tolist(), () if counts is None else counts.tolist(), strict=False)
    return sum(jpeg(data[at : at + count]).seconds for at, count in spans)
