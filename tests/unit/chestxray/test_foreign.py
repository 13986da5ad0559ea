"""Unsupported files are recognised by their signatures and rejected with advice."""

import base64
import gzip
import io
import json
import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from bentos.settings import WEB
from chestxray import errors, foreign
from chestxray.images import read
from tests.phantoms import encode, phantom

CHEST = phantom(60, 50)
JPEG, PNG = encode(CHEST, "JPEG"), encode(CHEST, "PNG")


def media(brand: bytes, *others: bytes) -> bytes:
    """The start of an ISO base media file (ISO 14496-12, 4.3)."""
    body = b"ftyp" + brand + bytes(4) + b"".join(others)
    return struct.pack(">I", 4 + len(body)) + body + bytes(64)


def archive(name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr(name, PNG)
    return file.getvalue()


def array() -> bytes:
    file = io.BytesIO()
    np.save(file, CHEST)
    return file.getvalue()


FILES: dict[str, list[bytes]] = {
    "HEIC": [media(b"heic", b"mif1"), media(b"mif1", b"heic"), media(b"heix"), media(b"msf1")],
    "AVIF": [encode(CHEST, "AVIF"), media(b"mif1", b"miaf", b"avif"), media(b"avis")],
    "JPEG 2000": [encode(CHEST, "JPEG2000"), b"\xff\x4f\xff\x51\0\x2f", media(b"jpx ")],
    "JPEG XL": [b"\xff\x0a\x5a\x1f", b"\0\0\0\x0cJXL \r\n\x87\n"],
    "GIF": [encode(CHEST, "GIF")],
    "PDF": [encode(CHEST, "PDF"), b"\xef\xbb\xbf%PDF-1.7", b"\r\n%PDF-1.4"],
    "ZIP": [archive("film.png"), archive("DICOMDIR"), b"PK\x05\x06" + bytes(18)],
    "Office document": [archive("word/document.xml"), b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"],
    "gzip": [gzip.compress(bytes(400))],
    "7z": [b"7z\xbc\xaf\x27\x1c\0\x04"],
    "RAR": [b"Rar!\x1a\x07\x01\0"],
    "BigTIFF": [b"II+\0\x08\0\0\0\x10\0\0\0", b"MM\0+\0\x08\0\0"],
    "Photoshop": [b"8BPS\0\x01" + bytes(6)],
    "icon": [encode(CHEST, "ICO")],
    "SVG": [b"<svg xmlns='x'/>", b'<?xml version="1.0"?>\n<!-- a -->\n<svg/>'],
    "HTML or XML": [b"<!DOCTYPE html><html></html>", b" <?xml version='1.0'?><films/>"],
    "NIfTI": [struct.pack("<i", 348).ljust(344, b"\0") + b"n+1\0", b"\x1c\x02\0\0n+2\0\r\n\x1a\n"],
    "video": [
        media(b"isom"),
        media(b"mp42"),
        media(b"qt  "),
        b"RIFF\x10\0\0\0AVI LIST",
        b"\x1a\x45\xdf\xa3\x9fB\x86",
        b"\0\0\x01\xba\x44",
    ],
    "camera raw": [
        b"II*\0\x10\0\0\0CR\x02\0",
        media(b"crx "),
        b"FUJIFILMCCD-RAW ",
        b"IIRO\x08\0\0\0",
        b"IIU\0\x18\0\0\0",
    ],
    "OpenEXR": [b"v/1\x01\x02\0\0\0"],
    "Radiance HDR": [b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n"],
    "PNM": [encode(CHEST, "PPM"), *(b"P%d\n2 2\n" % kind for kind in range(1, 8))],
    "HDF5 or NetCDF": [b"\x89HDF\r\n\x1a\n", b"CDF\x01\0\0"],
    "NumPy array or pickle": [array(), b"\x80\x04\x95\x0b\0"],
    "text": [b"hello", "Röntgen".encode(), "Röntgen".encode("utf-16"), b"BM is how this begins"],
    "JSON": [json.dumps({"image": base64.b64encode(JPEG).decode()}).encode(), b" [1, 2]"],
    "data URL": [b"data:image/jpeg;base64," + base64.b64encode(JPEG)],
    "base64": [base64.b64encode(JPEG), base64.encodebytes(PNG), base64.urlsafe_b64encode(PNG)],
    "address": [b"https://example.org/film.png"],
    "zeros only": [bytes(100), bytes(10_000)],
    "image behind other bytes": [b"\r\n" + JPEG, b"--boundary\r\n\r\n" + PNG, bytes(64) + JPEG],
}
CASES = [(name, data) for name, files in FILES.items() for data in files]


@pytest.mark.parametrize(
    ("name", "data"), CASES, ids=[f"{n} {i}" for i, (n, _) in enumerate(CASES)]
)
def test_rejection_of_an_unsupported_format_names_it_and_gives_advice(
    name: str, data: bytes
) -> None:
    with pytest.raises(errors.UnsupportedFormat) as caught:
        read(data)

    assert caught.value.code == "unsupported-format"
    assert caught.value.found == name
    assert re.match(rf"found {re.escape(name)}, which is not supported; \w", str(caught.value))


def test_rejection_of_heic_names_the_phone_setting() -> None:
    with pytest.raises(errors.UnsupportedFormat, match="Most Compatible"):
        read(media(b"heic"))


@pytest.mark.parametrize("name", FILES)
def test_truncated_unsupported_file_is_rejected_at_any_length(name: str) -> None:
    for data in FILES[name]:
        for length in range(1, 64):
            with pytest.raises(errors.RejectedImage):
                read(data[:length])


def test_page_has_advice_only_for_formats_that_are_recognised() -> None:
    texts = json.loads((WEB / "locales" / "en.json").read_text())
    advised = re.findall(r"problem\.unsupported-format\.([^.]+)\.advice", "\n".join(texts))

    source = Path(foreign.__file__).read_text()
    recognised = set(re.findall(r'Kind\(\s*"([^"]+)"', source))

    assert recognised >= {kind.name for _, kind in foreign.SIGNATURES}
    assert {"HEIC", "PDF", "JSON"} <= set(advised) <= recognised
