"""Names unsupported file formats by signature, with advice for the sender.

A table of our own: libraries with signatures do not recognise text that encodes an image, and none
has advice.
"""

import codecs
import re
from dataclasses import dataclass

_EXPORT = "export the picture as JPEG, PNG or TIFF"
_UNPACK = "unpack it and send the image alone"
_STILL = "send one still image as JPEG or PNG"
_IPHONE = (
    "on an iPhone choose Settings, Camera, Formats, Most Compatible, or export the photo as JPEG"
)
_BYTES = "send the bytes of the image file itself"


@dataclass(frozen=True)
class Kind:
    """A format, and what to do with such a file."""

    name: str
    advice: str = _EXPORT


_HEIC, _AVIF = Kind("HEIC", _IPHONE), Kind("AVIF")
_VIDEO, _RAW = Kind("video", _STILL), Kind("camera raw")
_MARKUP = Kind("HTML or XML")

_HEAD_BYTES = 1024

SIGNATURES: tuple[tuple[bytes, Kind], ...] = (
    (rb"IIR[OS]\x08\0|MMOR|IIU\0|FUJIFILMCCD-RAW|\0MRM|FOVb|.{4}ftypcrx ", _RAW),
    (rb"(?:II\+\0|MM\0\+)[\0\x08]", Kind("BigTIFF", "save it as a classic TIFF, PNG or JPEG")),
    (rb".{4}ftyp(?:hei[cxms]|hev[cms])", _HEIC),
    (rb".{4}ftypavi[fs]", _AVIF),
    (rb".{4}ftyp(?:mif1|msf1|miaf).{0,60}avif", _AVIF),
    (rb".{4}ftyp(?:mif1|msf1|miaf)", _HEIC),
    (rb".{4}ftypjxl |\0\0\0\x0cJXL |\xff\x0a", Kind("JPEG XL")),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51|.{4}ftypjp[2xmh]", Kind("JPEG 2000")),
    (rb".{4}(?:ftyp|moov|mdat|wide)|RIFF.{4}AVI |\x1aE\xdf\xa3|\0\0\x01[\xba\xb3]|FLV\x01", _VIDEO),
    (rb"OggS|0&\xb2u\x8ef\xcf\x11", _VIDEO),
    (rb"GIF8[79]a", Kind("GIF")),
    (rb"(?:\xef\xbb\xbf|\s){0,16}%PDF-", Kind("PDF", "export its page or image as PNG or JPEG")),
    (
        rb"PK(?:\x03\x04|\x05\x06|\x07\x08).{0,60}(?:\[Content_Types\]|word/|ppt/|xl/)",
        Kind("Office document", "save the picture in it as PNG or JPEG"),
    ),
    (rb"PK(?:\x03\x04|\x05\x06|\x07\x08)", Kind("ZIP", _UNPACK)),
    (rb"\x1f\x8b", Kind("gzip", _UNPACK)),
    (rb"7z\xbc\xaf\x27\x1c", Kind("7z", _UNPACK)),
    (rb"Rar!\x1a\x07", Kind("RAR", _UNPACK)),
    (rb"BZh[1-9]|\xfd7zXZ\0|\x28\xb5\x2f\xfd|.{257}ustar", Kind("archive", _UNPACK)),
    (rb"8BP[SB]\0", Kind("Photoshop")),
    (rb"\0\0[\x01\x02]\0[\x01-\xff]\0", Kind("icon")),
    (rb"v/1\x01", Kind("OpenEXR")),
    (rb"#\?R(?:ADIANCE|GBE)", Kind("Radiance HDR")),
    (rb"P[1-7Ff]\s", Kind("PNM", "save it as PNG or TIFF")),
    (
        rb"(?:\x5c\x01\0\0|\0\0\x01\x5c).{340}n[+i]1\0|(?:\x1c\x02\0\0|\0\0\x02\x1c)n[+i]2\0",
        Kind("NIfTI"),
    ),
    (rb"\x89HDF\r\n\x1a\n|CDF[\x01\x02\x05]", Kind("HDF5 or NetCDF")),
    (rb"\x93NUMPY|\x80[\x02-\x05]", Kind("NumPy array or pickle")),
    (rb"MATLAB 5\.0 MAT", Kind("MATLAB")),
    (rb"NRRD000|ObjectType\s*=|NDims\s*=", Kind("NRRD or MetaImage")),
    (rb"II\xbc\x01", Kind("JPEG XR")),
    (rb"AT&TFORM", Kind("DjVu")),
    (rb"%!PS|\xc5\xd0\xd3\xc6", Kind("PostScript")),
    (rb"DDS |qoif|BPG\xfb", Kind("DDS, QOI or BPG")),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1|\{\\rtf", Kind("Office document")),
    (
        rb"(?:\xef\xbb\xbf)?\s{0,99}<(?:svg|\?xml[^>]{0,200}>\s{0,99}(?:<!--.{0,500}?-->\s{0,99})?<svg)",
        Kind("SVG"),
    ),
    (rb"(?:\xef\xbb\xbf)?\s{0,99}<(?:[?!a-zA-Z])", _MARKUP),
    (
        rb".{1,1000}?(?:\xff\xd8\xff[\xc0-\xfe]|\x89PNG\r\n\x1a\n)",
        Kind("image behind other bytes", "send the image alone"),
    ),
)
_PATTERNS = tuple((re.compile(pattern, re.DOTALL), kind) for pattern, kind in SIGNATURES)

_DATA_URL = re.compile(rb"\s*\"?data:[\w.+/-]*(?:;[\w=.-]+)*;base64,", re.IGNORECASE)
_BASE64 = re.compile(rb"\s*[\w+/-][\w+/=\s-]{62,}\Z")
_ADDRESS = re.compile(rb"\s*(?:https?|ftp|file)://", re.IGNORECASE)
_CONTROL = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def disguised(data: bytes) -> Kind | None:
    """Recognises files that start with a TIFF header but are not TIFF: Canon raw."""
    return _RAW if data[8:11] == b"CR\x02" else None


def recognise(data: bytes) -> Kind | None:
    """Recognises a format by its first bytes; None if unknown."""
    head = data[:_HEAD_BYTES]
    for pattern, kind in _PATTERNS:
        if pattern.match(head):
            return kind
    if not data.strip(b"\0"):
        return Kind("zeros only", "the file was not saved or sent completely; send it again")
    return _text(head) if _is_text(head) else None


def _is_text(head: bytes) -> bool:
    if head.startswith(_UTF16):
        return True
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # the last character may be cut off
    except UnicodeDecodeError:
        return False
    return not _CONTROL.search(head)


def _text(head: bytes) -> Kind:
    if _DATA_URL.match(head):
        return Kind("data URL", f"{_BYTES}, not their base64")
    if _ADDRESS.match(head):
        return Kind("address", "send the file; addresses are not fetched")
    if head.lstrip()[:1] in (b"{", b"["):
        return Kind("JSON", _BYTES)
    if _BASE64.match(head):
        return Kind("base64", f"{_BYTES}, not their base64")
    return Kind("text", _BYTES)
