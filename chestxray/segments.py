"""What the parts of a JPEG, PNG or TIFF file are, and that decoding them has a bounded cost.

Decoders are generous: each part that they meet costs them more memory and time than its bytes, and
some parts cost a pass over all pixels. The bounds are far above what any real writer needs.
"""

import re
import struct

from chestxray.errors import TruncatedImage, UnreadableImage

# A marker is FF and a byte that is no stuffing (00), TEM (01), restart (D0-D7) or fill (FF).
_JPEG_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
_JPEG_END, _JPEG_SCAN, _JPEG_APP1 = 0xD9, 0xDA, 0xE1
_JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
# Reserved (ITU T.81, table B.1), or a second start: decoders do not agree on what follows them.
_JPEG_REFUSED = {*range(0x02, 0xC0), 0xC8, 0xD8, *range(0xF0, 0xFE)}
_MAX_JPEG_SEGMENTS = 1000
# Real progressive files have 6 to 18; each scan costs a pass over all pixels (ITU T.81, G.1), and
# a hundred took 3 s of the largest CMYK picture.
_MAX_JPEG_SCANS = 40

_MAX_PNG_CHUNKS = 20_000  # of pixels; encoders write 8 KB and more in each
_MAX_PNG_METADATA = 100  # each may be inflated to a megabyte
# A second profile costs once more, a second header makes a picture of two modes (PNG 3, 5.6).
_PNG_SINGLE = (b"IHDR", b"PLTE", b"iCCP")

_TIFF_TYPES_OF_BYTES = (1, 2, 6, 7)
_TIFF_NUMBERS = {3: "H", 4: "I", 13: "I"}  # short, long, offset of a directory
_TIFF_COMPRESSION, _TIFF_TILE_WIDTH, _TIFF_TILE_LENGTH = 259, 322, 323
_TIFF_DIRECTORIES = (34665, 34853, 40965)  # EXIF, GPS, interoperability
_TIFF_CHECKED = (_TIFF_COMPRESSION, _TIFF_TILE_WIDTH, _TIFF_TILE_LENGTH, *_TIFF_DIRECTORIES)
# None, LZW, JPEG, deflate by both of its numbers, PackBits. The fax codes go on behind each damaged
# row, with a line on standard error for it; the rest are rare, and some choose their own memory.
_TIFF_COMPRESSIONS = (1, 5, 7, 8, 32946, 32773)
_TIFF_DEPTH = 3
# One strip per row is the most that is sensible: an offset and a length for each.
_MAX_TIFF_VALUES = 2**17
_MAX_TIFF_TILE_PIXELS = 4096 * 4096


def png_end(data: bytes) -> int | None:
    """Returns where the image ends, None where it does not. Raises UnreadableImage."""
    position, metadata, single = 8, 0, set[bytes]()
    for _ in range(_MAX_PNG_CHUNKS):
        if position + 12 > len(data):
            return None
        length, kind = data[position : position + 4], data[position + 4 : position + 8]
        position += 12 + int.from_bytes(length, "big")
        metadata += kind != b"IDAT"
        if metadata > _MAX_PNG_METADATA or kind in single:
            break
        if kind in _PNG_SINGLE:
            single.add(kind)
        if kind == b"IEND":
            return position
    raise UnreadableImage("the PNG file has too many chunks, or one twice")


def jpeg_end(data: bytes) -> int | None:
    """Returns where the image ends, None where it does not. Raises UnreadableImage."""
    position, segments, scans, frames, exifs = 2, 0, 0, 0, 0
    while (marker := _JPEG_MARKER.search(data, position)) is not None:
        position, kind = marker.end(), data[marker.end() - 1]
        if kind == _JPEG_END:
            return position
        segments += 1
        scans += kind == _JPEG_SCAN
        frames += kind in _JPEG_FRAMES
        exifs += kind == _JPEG_APP1 and data.startswith(b"Exif", position + 2)
        if segments > _MAX_JPEG_SEGMENTS or scans > _MAX_JPEG_SCANS or max(frames, exifs) > 1:
            raise UnreadableImage("the JPEG file has too many segments or scans")
        if kind in _JPEG_REFUSED:
            raise UnreadableImage(f"the JPEG file has a segment of the reserved kind {kind:02X}")
        if position + 2 > len(data):
            return None
        position += int.from_bytes(data[position : position + 2], "big")
    return None


def check_tiff_directories(data: bytes) -> None:
    """Raises UnreadableImage where the first page costs too much, TruncatedImage where it ends."""
    order = "<" if data.startswith(b"II") else ">"
    try:
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        _check_tiff_directory(data, order, start, _TIFF_DEPTH)
    except struct.error as error:
        raise TruncatedImage("the TIFF file ends before its directory does") from error


def _check_tiff_directory(data: bytes, order: str, start: int, depth: int) -> None:
    (entries,) = struct.unpack_from(f"{order}H", data, start)
    fields: dict[int, int] = {}
    values = 0
    for entry in range(entries):
        place = start + 2 + 12 * entry
        tag, kind, count = struct.unpack_from(f"{order}HHI", data, place)
        values += 0 if kind in _TIFF_TYPES_OF_BYTES else count
        if tag not in _TIFF_CHECKED:
            continue
        # Decoders read further kinds, and do not agree on which of two counts.
        if tag in fields or kind not in _TIFF_NUMBERS or count != 1:
            raise UnreadableImage(f"the TIFF file has field {tag} twice, or as no plain number")
        (fields[tag],) = struct.unpack_from(f"{order}{_TIFF_NUMBERS[kind]}", data, place + 8)
    tile = fields.get(_TIFF_TILE_WIDTH, 0) * fields.get(_TIFF_TILE_LENGTH, 0)
    if values > _MAX_TIFF_VALUES or tile > _MAX_TIFF_TILE_PIXELS:
        raise UnreadableImage("the TIFF file has too many values or too large tiles")
    if fields.get(_TIFF_COMPRESSION, 1) not in _TIFF_COMPRESSIONS:
        raise UnreadableImage("the TIFF file is compressed unusually; send it with LZW or without")
    for tag in _TIFF_DIRECTORIES:
        if tag in fields and depth:
            _check_tiff_directory(data, order, fields[tag], depth - 1)
