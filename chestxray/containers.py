"""Where an image file ends, whether it is a file of another kind as well, and what it would cost.

Read from the structure of the container alone, before any pixel is decoded: decoders are lenient
about missing ends, silent about what follows, and generous with memory for metadata.
"""

import io
import re
import struct
import zipfile

from chestxray.errors import PolyglotFile, TruncatedImage, UnreadableImage

MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "TIFF": "image/tiff",
    "WEBP": "image/webp",
    "BMP": "image/bmp",
}

_SIGNATURES = re.compile(
    rb"(?P<JPEG>\xff\xd8\xff)|(?P<PNG>\x89PNG\r\n\x1a\n)|(?P<TIFF>II\*\0|MM\0\*)"
    rb"|(?P<WEBP>RIFF....WEBP)|(?P<BMP>BM)",
    re.DOTALL,
)
# A marker is FF and a byte that is neither stuffing (00), a restart (D0-D7) nor fill (FF).
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_JPEG_START_OF_SCAN, _JPEG_END_OF_IMAGE = 0xDA, 0xD9
# Real progressive files have about ten; each scan costs a pass over all pixels (ITU T.81, G.1).
_MAX_JPEG_SCANS = 100
# Encoders write chunks of 8 KB and more; each costs the decoder a hundred bytes of its own.
_MAX_PNG_CHUNKS = 20_000
# One strip per row is the most that is sensible; each entry costs the decoder over 200 bytes.
_MAX_TIFF_VALUES = 2**16
_TIFF_TYPES_OF_BYTES = (1, 2, 6, 7)

# Readers look for %PDF- in the first 1024 bytes, browsers for markup in the first 1445 (WHATWG).
_HEAD_BYTES = 2048
_TIFF_TAIL_BYTES = 4096
_FOREIGN = re.compile(
    rb"%PDF-|<(?:!doctype\s+html|html|script|svg|iframe)\b|<\?php|Rar!\x1a\x07|7z\xbc\xaf\x27\x1c",
    re.IGNORECASE,
)


def sniff(data: bytes) -> str | None:
    """Names the format by its signature, as Pillow spells it; None for anything else."""
    match = _SIGNATURES.match(data)
    return match.lastgroup if match else None


def check(data: bytes, format_: str) -> None:
    """Raises TruncatedImage, PolyglotFile or UnreadableImage by the structure of the container."""
    end = _end(data, format_)
    if end is None or end > len(data):
        raise TruncatedImage(
            f"the {format_} file of {len(data)} bytes ends before its image does; send it whole"
        )
    if _FOREIGN.search(data, 0, _HEAD_BYTES) or _FOREIGN.search(data, end) or _is_zip(data):
        raise PolyglotFile(
            f"the {format_} file is a file of another kind as well; send the image alone"
        )


def _is_zip(data: bytes) -> bool:
    return zipfile.is_zipfile(io.BytesIO(data))


def _end(data: bytes, format_: str) -> int | None:
    match format_:
        case "JPEG":
            return _jpeg_end(data)
        case "PNG":
            return _png_end(data)
        case "WEBP":
            return 8 + int.from_bytes(data[4:8], "little")
        case "BMP":
            return _bmp_end(data)
        case _:
            _check_tiff_directory(data)
            return max(0, len(data) - _TIFF_TAIL_BYTES)  # its parts may lie in any order


def _bmp_end(data: bytes) -> int:
    declared = int.from_bytes(data[2:6], "little")
    return declared or len(data)  # some writers leave it at zero


def _png_end(data: bytes) -> int | None:
    position = 8
    for _ in range(_MAX_PNG_CHUNKS):
        if position + 12 > len(data):
            return None
        length, kind = data[position : position + 4], data[position + 4 : position + 8]
        position += 12 + int.from_bytes(length, "big")
        if kind == b"IEND":
            return position
    raise UnreadableImage(f"the PNG file has more than {_MAX_PNG_CHUNKS} chunks")


def _jpeg_end(data: bytes) -> int | None:
    position, scans = 2, 0
    while (marker := _JPEG_MARKER.search(data, position)) is not None:
        position, kind = marker.end(), data[marker.end() - 1]
        if kind == _JPEG_END_OF_IMAGE:
            return position
        if kind == _JPEG_START_OF_SCAN:
            scans += 1
        if scans > _MAX_JPEG_SCANS:
            raise UnreadableImage(f"the JPEG file has more than {_MAX_JPEG_SCANS} scans")
        if position + 2 > len(data):
            return None
        position += int.from_bytes(data[position : position + 2], "big")
    return None


def _check_tiff_directory(data: bytes) -> None:
    order = "<" if data.startswith(b"II") else ">"
    try:
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        (entries,) = struct.unpack_from(f"{order}H", data, start)
        fields = [
            struct.unpack_from(f"{order}HHI", data, start + 2 + 12 * entry)
            for entry in range(entries)
        ]
    except struct.error as error:
        raise TruncatedImage("the TIFF file ends before its directory does") from error
    for _, kind, count in fields:
        if kind not in _TIFF_TYPES_OF_BYTES and count > _MAX_TIFF_VALUES:
            raise UnreadableImage(f"a TIFF field has more than {_MAX_TIFF_VALUES} values")
