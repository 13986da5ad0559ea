"""Crafted files that no encoder writes: small, but expensive for a careless decoder."""

import re
import struct
import zlib

import numpy as np

from tests.phantoms import encode, phantom

CHEST = phantom(300, 360)


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def directory(*fields: tuple[int, int, int, int]) -> bytes:
    packed = b"".join(struct.pack("<HHII", *field) for field in fields)
    return struct.pack("<H", len(fields)) + packed


def tiff(*more: tuple[int, int, int, int], data: bytes = b"") -> bytes:
    """A TIFF of eight by eight pixels at byte 8 with further fields; its data are at byte 400."""
    base = ((256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1))
    fields = sorted({field[0]: field for field in (*base, *more)}.values())
    head = b"II*\0" + struct.pack("<I", 72) + bytes(64) + directory(*fields) + bytes(4)
    return head.ljust(400, b"\0") + data


STRIP = ((273, 4, 1, 8), (278, 4, 1, 8), (279, 4, 1, 64))


def tiff_of_frames(count: int) -> bytes:
    """A TIFF of many pages that share their pixels."""
    page = tiff(*STRIP)[72:400].rstrip(b"\0") + b"\0"
    page = page[: 2 + 12 * 8]
    size = len(page) + 4
    pages = [page + struct.pack("<I", 72 + size * (i + 1)) for i in range(count)]
    return b"II*\0" + struct.pack("<I", 72) + bytes(64) + b"".join(pages)


def tiff_of_values(count: int, *, kind: int = 4) -> bytes:
    """A TIFF whose EXIF directory holds this many fractions."""
    exif = directory((33434, 5, count, 500)).ljust(100, b"\0")
    return tiff(*STRIP, (34665, kind, 1, 400), data=exif + b"\1\0\0\0" * 2 * count)


def tiff_of_fax_noise(rows: int) -> bytes:
    """A TIFF of one strip of noise in fax coding, for which libtiff logs an error per row."""
    noise = np.random.default_rng(5).bytes(400_000)
    size = ((256, 4, 1, 8), (257, 4, 1, rows), (258, 3, 1, 1), (259, 3, 1, 3))
    return tiff(*size, (273, 4, 1, 400), (278, 4, 1, rows), (279, 4, 1, len(noise)), data=noise)


def jpeg_of_scans(side: int) -> bytes:
    """A blank JPEG with 80 scans of all of its channels, which were once allowed."""
    data = encode(np.zeros((side, side, 3), np.uint8), "JPEG", mode="CMYK", progressive=True)
    first, second = (match.start() for match in list(re.finditer(b"\xff\xda", data))[:2])
    return data[:first] + data[first:second] * 80 + data[first:]


def webp_of_canvas(side: int) -> bytes:
    size = (side - 1).to_bytes(3, "little") * 2
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + size
    body += encode(CHEST, "WEBP", lossless=True)[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg_with(segments: bytes) -> bytes:
    return b"\xff\xd8" + segments + encode(CHEST, "JPEG")[2:]


PNG, EXIF = encode(CHEST, "PNG"), b"\xff\xe1\0\x14Exif\0\0" + bytes(12)
PROFILE = chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(10**6)))
OFFSETS = b"\1\0" * 2_000_000
HUGE_TILE = ((322, 4, 1, 16384), (323, 4, 1, 32768), (324, 4, 1, 400), (325, 4, 1, 500_000))
SIGNED_TILE = ((322, 8, 1, 16384), (323, 8, 1, 32752), *HUGE_TILE[2:])
LONG_TILE = ((322, 16, 1, 400), (323, 16, 1, 408), (324, 4, 1, 416), HUGE_TILE[3])
TILE = zlib.compress(bytes(10**6))
BOMBS = {
    "frames of a TIFF": tiff_of_frames(50_000),
    "strips of a TIFF": tiff((273, 3, 2_000_000, 400), *STRIP[1:], data=OFFSETS),
    "tiles of a TIFF": tiff((259, 3, 1, 8), *HUGE_TILE, data=TILE),
    "tiles of a TIFF in signed numbers": tiff((259, 3, 1, 8), *SIGNED_TILE, data=TILE),
    "tiles of a TIFF in longer numbers": tiff(
        (259, 3, 1, 8), *LONG_TILE, data=struct.pack("<QQ", 16384, 32768) + TILE
    ),
    "values of a TIFF": tiff_of_values(500_000),
    "values of a TIFF behind another kind of offset": tiff_of_values(500_000, kind=9),
    "damaged rows of a fax in a TIFF": tiff_of_fax_noise(2_000_000),
    "scans of a JPEG of four channels": jpeg_of_scans(4096),
    "chunks of a PNG": PNG[:33] + chunk(b"prVt") * 500_000 + PNG[33:],
    "profiles of a PNG": PNG[:33] + PROFILE * 3000 + PNG[33:],
    "EXIF of a PNG": PNG[:33]
    + chunk(b"eXIf", tiff((273, 3, 2_000_000, 400), data=OFFSETS))
    + PNG[33:],
    "EXIF of a JPEG": jpeg_with(EXIF * 300_000),
    "segments of a JPEG": jpeg_with(b"\xff\xe5\0\2" * 2_000_000),
    "frames of a JPEG": jpeg_with(encode(CHEST, "JPEG")[2:-2] * 50),
    "markup behind a JPEG": encode(CHEST, "JPEG") + b"<" * 20_000_000,
    "canvas of a WebP": webp_of_canvas(4096),
    "canvas of a larger WebP": webp_of_canvas(2**14),
}
