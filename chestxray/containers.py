"""Format sniffing, and detection of truncated and polyglot files.

Uses only the container structure, before any pixel is decoded: decoders tolerate missing ends and
ignore trailing data.
"""

import io
import re
import struct
import zipfile
from dataclasses import replace

from chestxray import bmp, costs
from chestxray.dicom import signature
from chestxray.directories import tiff
from chestxray.errors import PolyglotFile, TruncatedImage
from chestxray.segments import Structure, jpeg, png, webp

MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "TIFF": "image/tiff",
    "WEBP": "image/webp",
    "BMP": "image/bmp",
    "DICOM": "application/dicom",
}

_SIGNATURES = re.compile(
    rb"(?P<JPEG>\xff\xd8\xff)|(?P<PNG>\x89PNG\r\n\x1a\n)|(?P<TIFF>II\*\0|MM\0\*)"
    rb"|(?P<WEBP>RIFF....WEBP)|(?P<BMP>BM.{12}(?P<header>.)\0\0\0)",
    re.DOTALL,
)
_PROGRAMS = (b"MZ", b"\x7fELF")
_BMP_OLD_HEADER = b"\x0c"  # OS/2

# Readers look for %PDF- in the first 1024 bytes, browsers for markup in the first 1445 (WHATWG).
_HEAD_BYTES = 2048
# After the image, search where readers of the other format would start: right behind, or at the
# end.
_TAIL_BYTES = 2**16
_TAIL_OF_UNKNOWN_BYTES = 4096
_FOREIGN = re.compile(
    rb"%PDF-|<(?:!doctype\s+html|html|script|svg|iframe)\b|<\?php|Rar!\x1a\x07|7z\xbc\xaf\x27\x1c",
    re.IGNORECASE,
)


def sniff(data: bytes) -> str | None:
    """Returns the name of the format (Pillow's, or DICOM) by signature; None if unknown."""
    if signature.is_dicom(data):
        return "DICOM"
    match = _SIGNATURES.match(data)
    # Text may also begin with BM.
    if match is None or (match["BMP"] and match["header"][0] not in bmp.HEADERS):
        return None
    return match.lastgroup


def check(data: bytes, format_: str) -> Structure:
    """Parses the container structure.

    Raises TruncatedImage, PolyglotFile, MultiFrameImage or UnreadableImage.
    """
    try:
        found = _structure(data, format_)
    except struct.error as error:
        raise TruncatedImage(f"the {format_} file ends within a header; send it whole") from error
    end = found.end
    if end is None or end > len(data):
        raise TruncatedImage(
            f"the {format_} file of {len(data)} bytes ends before its image does; send it whole"
        )
    check_alone(data, format_, end)
    return found


def check_dicom(data: bytes) -> None:
    """Raises PolyglotFile: the preamble of DICOM is where other formats have their header.

    That of TIFF is one of PS3.10's own examples, and a TIFF reader shows the same pixels.
    """
    other = _SIGNATURES.match(data)
    if (other and other.lastgroup != "TIFF") or data.startswith(_PROGRAMS):
        raise PolyglotFile(
            "the DICOM file begins as a file of another kind; write it again with an empty preamble"
        )
    check_alone(data, "DICOM", max(0, len(data) - _TAIL_OF_UNKNOWN_BYTES))


def check_alone(data: bytes, format_: str, end: int) -> None:
    """Raises PolyglotFile if there is another file at the start, at the end, or from `end` on."""
    last = max(end, len(data) - _TAIL_BYTES)
    windows = (data[:_HEAD_BYTES], data[end : end + _TAIL_BYTES], data[last:])
    if any(map(_FOREIGN.search, windows)) or zipfile.is_zipfile(io.BytesIO(data)):
        raise PolyglotFile(
            f"the {format_} file is a file of another kind as well; send the image alone"
        )


def _structure(data: bytes, format_: str) -> Structure:
    match format_:
        case "JPEG":
            return jpeg(data)
        case "PNG":
            return png(data)
        case "WEBP":
            return webp(data)
        case "BMP":
            return _bmp(data)
        case _:
            # The parts of a TIFF may be in any order, so its end is unknown.
            return replace(tiff(data), end=max(0, len(data) - _TAIL_OF_UNKNOWN_BYTES))


def _bmp(data: bytes) -> Structure:
    layout = "<HH" if data[14:15] == _BMP_OLD_HEADER else "<ii"
    width, height = map(abs, struct.unpack_from(layout, data, 18))
    declared = int.from_bytes(data[2:6], "little")  # some writers leave it at zero
    seconds = height * costs.BMP_ROW + width * height * costs.BMP_PIXEL
    return Structure(declared or len(data), (width, height), seconds)
