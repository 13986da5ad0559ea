"""Where an image file ends, and whether it is a file of another kind as well.

Read from the structure of the container alone, before any pixel is decoded: decoders are lenient
about missing ends and silent about what follows.
"""

import io
import re
import struct
import zipfile

from chestxray import bmp
from chestxray.errors import PolyglotFile, TruncatedImage
from chestxray.segments import check_tiff_directories, jpeg_end, png_end

MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "TIFF": "image/tiff",
    "WEBP": "image/webp",
    "BMP": "image/bmp",
}

_SIGNATURES = re.compile(
    rb"(?P<JPEG>\xff\xd8\xff)|(?P<PNG>\x89PNG\r\n\x1a\n)|(?P<TIFF>II\*\0|MM\0\*)"
    rb"|(?P<WEBP>RIFF....WEBP)|(?P<BMP>BM.{12}(?P<header>.)\0\0\0)",
    re.DOTALL,
)

# Readers look for %PDF- in the first 1024 bytes, browsers for markup in the first 1445 (WHATWG).
_HEAD_BYTES = 2048
# Behind an image, a foreign file is looked for where its readers would begin or end.
_TAIL_BYTES = 2**16
_TIFF_TAIL_BYTES = 4096
_FOREIGN = re.compile(
    rb"%PDF-|<(?:!doctype\s+html|html|script|svg|iframe)\b|<\?php|Rar!\x1a\x07|7z\xbc\xaf\x27\x1c",
    re.IGNORECASE,
)


def sniff(data: bytes) -> str | None:
    """Names the format by its signature, as Pillow spells it; None for anything else."""
    match = _SIGNATURES.match(data)
    # Text may begin with BM as well.
    if match is None or (match["BMP"] and match["header"][0] not in bmp.HEADERS):
        return None
    return match.lastgroup


def check(data: bytes, format_: str) -> None:
    """Raises TruncatedImage, PolyglotFile or UnreadableImage by the structure of the container."""
    end = _end(data, format_)
    if end is None or end > len(data):
        raise TruncatedImage(
            f"the {format_} file of {len(data)} bytes ends before its image does; send it whole"
        )
    last = max(end, len(data) - _TAIL_BYTES)
    windows = (data[:_HEAD_BYTES], data[end : end + _TAIL_BYTES], data[last:])
    if any(map(_FOREIGN.search, windows)) or zipfile.is_zipfile(io.BytesIO(data)):
        raise PolyglotFile(
            f"the {format_} file is a file of another kind as well; send the image alone"
        )


def _end(data: bytes, format_: str) -> int | None:
    match format_:
        case "JPEG":
            return jpeg_end(data)
        case "PNG":
            return png_end(data)
        case "WEBP":
            return 8 + int.from_bytes(data[4:8], "little")
        case "BMP":
            return _bmp_end(data)
        case _:
            check_tiff_directories(data)
            return max(0, len(data) - _TIFF_TAIL_BYTES)  # its parts may lie in any order


def _bmp_end(data: bytes) -> int:
    declared = int.from_bytes(data[2:6], "little")
    return declared or len(data)  # some writers leave it at zero


def webp_size(data: bytes) -> tuple[int, int]:
    """Reads width and height; the decoder takes memory for them as soon as it sees the header."""
    try:
        match data[12:16]:
            case b"VP8X":
                width, height = data[24:27], data[27:30]
                return 1 + int.from_bytes(width, "little"), 1 + int.from_bytes(height, "little")
            case b"VP8L":
                (bits,) = struct.unpack_from("<I", data, 21)
                return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
            case _:
                width, height = struct.unpack_from("<HH", data, 26)
                return width & 0x3FFF, height & 0x3FFF
    except struct.error as error:
        raise TruncatedImage("the WEBP file ends within its header") from error
