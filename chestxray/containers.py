"""Where an image file ends, and whether it is a file of another kind as well.

Read from the structure of the container alone, before any pixel is decoded: decoders are lenient
about missing ends, and silent about what follows.
"""

import io
import re
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
# Readers look for %PDF- in the first 1024 bytes, browsers for markup in the first 1445 (WHATWG).
_HEAD_BYTES = 2048
_FOREIGN_HEAD = re.compile(rb"%PDF-|<(?:!doctype\s+html|html|script|svg|iframe)\b|<\?php", re.I)
_FOREIGN_TAIL = re.compile(
    rb"%PDF-|<(?:!doctype\s+html|html|script|svg|iframe)\b|<\?php"
    rb"|\A\s*(?:MZ|\x7fELF|Rar!|7z\xbc\xaf|GIF8|#!/)",
    re.I,
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
    head, tail = data[:_HEAD_BYTES], data[end:]
    if _FOREIGN_HEAD.search(head) or _FOREIGN_TAIL.search(tail) or _is_zip(data):
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
        case _:  # TIFF may hold its parts in any order, BMP writers leave the size at zero
            return len(data)


def _png_end(data: bytes) -> int | None:
    position = 8
    while position + 12 <= len(data):
        length, kind = data[position : position + 4], data[position + 4 : position + 8]
        position += 12 + int.from_bytes(length, "big")
        if kind == b"IEND":
            return position
    return None


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
