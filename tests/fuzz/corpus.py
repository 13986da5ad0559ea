"""Seeds of the fuzzers: small images in every supported format and variant."""

import io
import struct
import zipfile
import zlib
from itertools import product
from typing import Any

import numpy as np
from PIL import Image

from chestxray.dicom import signature
from tests import dicoms, tiffs
from tests.costly import KINDS
from tests.crafted import PROFILE, STRIP, chunk, tiff
from tests.phantoms import encode, phantom

CHEST = phantom(40, 48)
COLOUR = np.dstack([CHEST, CHEST // 2, 255 - CHEST])
DEEP = CHEST.astype(np.uint16) * 257
_SMALL_SIDE, _LARGE_SIDE = 40, 700
_LARGE_BYTES = 2**17
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TIFF_COMPRESSIONS = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "group4", "jpeg", "lzma")


def make() -> dict[str, bytes]:
    """Returns every seed by name; deterministic."""
    whole = _jpegs() | _pngs() | _tiffs() | _webps() | _bmps() | _dicoms()
    costly = {f"costly {name}": kind(_SMALL_SIDE) for name, kind in KINDS.items()}
    return whole | _joined(whole) | _costly() | costly


def make_large() -> dict[str, bytes]:
    """Returns files whose decoding cost is near the limit for their size."""
    files = {name: kind(_LARGE_SIDE) for name, kind in KINDS.items()}
    return {name: data for name, data in files.items() if len(data) <= _LARGE_BYTES}


def _dicoms() -> dict[str, bytes]:
    table = dicoms.lut(np.arange(4096), 0)
    padded: dict[str, Any] = {"PixelPaddingValue": 0, "PhotometricInterpretation": "MONOCHROME1"}
    window: dict[str, Any] = {"WindowCenter": 2000, "WindowWidth": 900, "VOILUTFunction": "SIGMOID"}
    encoded = {
        f"dicom {name}": write(dicoms.dataset(DEEP >> 4, **dicoms.ALWAYS_THE_SAME))
        for name, write in (dicoms.LOSSLESS | dicoms.LOSSY).items()
    }
    colour = dicoms.film(COLOUR, bits=8, PhotometricInterpretation="RGB", **dicoms.ALWAYS_THE_SAME)
    return encoded | {
        "dicom of a window": dicoms.film(DEEP >> 4, **window, **dicoms.ALWAYS_THE_SAME),
        "dicom of tables": dicoms.film(
            DEEP >> 4, ModalityLUTSequence=table, VOILUTSequence=table, **dicoms.ALWAYS_THE_SAME
        ),
        "dicom padded": dicoms.film(DEEP >> 4, **padded, **dicoms.ALWAYS_THE_SAME),
        "dicom in colour": colour,
        "dicom without a preamble": colour[signature.START :],
    }


def _jpegs() -> dict[str, bytes]:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a chest"
    exif.get_ifd(0x8769)[0x9003] = "2020:01:01 00:00:00"
    return {
        "jpeg": encode(CHEST, "JPEG"),
        "jpeg colour": encode(COLOUR, "JPEG", quality=90),
        "jpeg progressive": encode(COLOUR, "JPEG", progressive=True),
        "jpeg cmyk": encode(COLOUR, "JPEG", mode="CMYK"),
        "jpeg exif": encode(CHEST, "JPEG", exif=exif),
        "jpeg restarts": encode(COLOUR, "JPEG", restart_marker_blocks=2, subsampling=2),
        "jpeg profile": encode(COLOUR, "JPEG", icc_profile=bytes(range(200)), comment=b"hello"),
        "jpeg of two (MPO)": _frames("MPO"),
    }


def _pngs() -> dict[str, bytes]:
    exif = Image.Exif()
    exif[0x0112] = 8
    written = {
        f"png {mode}": encode(CHEST, "PNG", mode=mode)
        for mode in ("1", "L", "LA", "P", "RGB", "RGBA")
    }
    made = {
        f"png made: type {kind}, {depth} bit, interlaced {interlaced}": _png(
            kind, depth, interlaced=interlaced
        )
        for (kind, depth), interlaced in product(
            [(0, 1), (0, 2), (0, 4), (0, 16), (2, 16), (3, 2), (3, 8), (4, 16), (6, 16)], (0, 1)
        )
    }
    return {
        **written,
        **made,
        "png deep": encode(DEEP, "PNG"),
        "png exif": encode(CHEST, "PNG", exif=exif),
        "png palette with transparency": encode(CHEST, "PNG", mode="P", transparency=3),
        "png animated": _frames("PNG"),
    }


def _png(kind: int, depth: int, *, interlaced: int, side: int = 16) -> bytes:
    """Variants that Pillow reads but cannot write: 16-bit colour, interlacing, low bit depths."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    starts = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2)]
    passes = [*starts, (0, 1, 1, 2)] if interlaced else [(0, 0, 1, 1)]
    rows = b"".join(
        b"\0" + bytes((7 * i + x0) % 256 for i in range(-(-columns * channels * depth // 8)))
        for x0, y0, dx, dy in passes
        for columns in [len(range(x0, side, dx))]
        for _ in range(y0, side, dy)
    )
    palette = chunk(b"PLTE", bytes(range(192)) * 4) if kind == 3 else b""
    header = struct.pack(">IIBBBBB", side, side, depth, kind, 0, 0, interlaced)
    pixels = chunk(b"IDAT", zlib.compress(rows))
    return _SIGNATURE + chunk(b"IHDR", header) + palette + pixels + chunk(b"IEND")


def _tiffs() -> dict[str, bytes]:
    packed = {
        f"tiff {name}": encode(
            CHEST, "TIFF", mode="1" if name == "group4" else None, compression=name
        )
        for name in _TIFF_COMPRESSIONS
    }
    modes = {
        f"tiff {mode}": encode(COLOUR, "TIFF", mode=mode)
        for mode in ("1", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB")
    }
    deep = {
        f"tiff {np.dtype(kind).name}": encode(CHEST.astype(kind) * 7, "TIFF")
        for kind in (np.uint16, np.int32, np.float32)
    }
    return {
        **packed,
        **modes,
        **deep,
        "tiff white is zero": encode(DEEP, "TIFF", tiffinfo={262: 0}),
        "tiff turned": encode(CHEST, "TIFF", tiffinfo={274: 5}),
        "tiff of strips": encode(COLOUR, "TIFF", compression="tiff_lzw", strip_size=240),
        "tiff big-endian": _big_endian_tiff(),
        "tiff small": tiff((273, 4, 1, 400), *STRIP[1:], data=bytes(range(64))),
        "tiff of tiles": tiff(
            *((322, 4, 1, 16), (323, 4, 1, 16), (324, 4, 1, 400), (325, 4, 1, 256)),
            data=bytes(range(256)),
        ),
        **_tiffs_of_samples(),
        "tiff of two": _frames("TIFF"),
    }


def _tiffs_of_samples() -> dict[str, bytes]:
    """Variants that Pillow does not read: every sample depth, type, predictor and layout."""
    colours, deep = np.dstack([DEEP] * 3), DEEP[..., None]
    floats = (CHEST[..., None] / 255).astype(np.float64)
    return {
        "tiff of 12 bits": tiffs.tiff(deep >> 4, bits=12),
        "tiff of 5 bits, LZW": tiffs.tiff(deep >> 11, bits=5, compression=tiffs.LZW),
        "tiff of 24 bits": tiffs.tiff(deep.astype(np.uint32) << 8, bits=24, order=">"),
        "tiff of 16-bit colours": tiffs.tiff(colours, bits=16, photometric=2),
        "tiff of 16-bit colours, LZW, predictor": tiffs.tiff(
            colours, bits=16, photometric=2, compression=tiffs.LZW, predictor=2
        ),
        "tiff of doubles": tiffs.tiff(floats, bits=64, sample_format=3),
        "tiff of doubles, deflate, predictor": tiffs.tiff(
            floats, bits=64, sample_format=3, compression=tiffs.DEFLATE, predictor=3
        ),
        "tiff filled from the other end": tiffs.tiff(deep, bits=16, reverse=True, photometric=0),
        "tiff of signed numbers": tiffs.tiff(deep, bits=16, sample_format=2, photometric=0),
    }


def _big_endian_tiff() -> bytes:
    fields = ((256, 8), (257, 8), (258, 16), (259, 1), (262, 1), (273, 8), (278, 8), (279, 128))
    entries = b"".join(struct.pack(">HHIHH", tag, 3, 1, value, 0) for tag, value in fields)
    pixels = bytes(range(128))
    return b"MM\0*" + struct.pack(">I", 136) + pixels + struct.pack(">H", 8) + entries + bytes(4)


def _webps() -> dict[str, bytes]:
    exif = Image.Exif()
    exif[0x0112] = 3
    return {
        "webp": encode(CHEST, "WEBP", quality=60),
        "webp lossless": encode(COLOUR, "WEBP", lossless=True),
        "webp alpha": encode(np.dstack([COLOUR, CHEST]), "WEBP", quality=40),
        "webp exif": encode(CHEST, "WEBP", exif=exif, icc_profile=bytes(range(99))),
        "webp animated": _frames("WEBP"),
    }


def _bmps() -> dict[str, bytes]:
    written = {
        f"bmp {mode}": encode(CHEST, "BMP", mode=mode) for mode in ("1", "L", "P", "RGB", "RGBA")
    }
    masks = struct.pack("<IiiHHIIiiII", 40, 8, -8, 1, 16, 3, 128, 0, 0, 0, 0)
    masks += struct.pack("<III", 0xF800, 0x7E0, 0x1F) + bytes(range(128))
    old = struct.pack("<IHHHH", 12, 8, 8, 1, 24) + bytes(range(192))
    runs = struct.pack("<IiiHHIIiiII", 40, 8, 8, 1, 8, 1, 0, 0, 0, 0, 0)
    runs += bytes(value for grey in range(256) for value in (grey, grey, grey, 0))
    runs += b"\x05\x09\x03\x70\0\0" * 4 + b"\0\x05hello\0\x03\x01\0\0" * 3 + b"\x08\x30\0\1"
    return {
        **written,
        "bmp run lengths": b"BM" + struct.pack("<IHHI", 14 + len(runs), 0, 0, 1078) + runs,
        "bmp bit fields": b"BM" + struct.pack("<IHHI", 14 + len(masks), 0, 0, 66) + masks,
        "bmp of OS/2": b"BM" + struct.pack("<IHHI", 14 + len(old), 0, 0, 26) + old,
    }


def _frames(format_: str) -> bytes:
    pages = [Image.fromarray(CHEST), Image.fromarray(255 - CHEST)]
    file = io.BytesIO()
    pages[0].save(file, format_, save_all=True, append_images=pages[1:])
    return file.getvalue()


def _joined(whole: dict[str, bytes]) -> dict[str, bytes]:
    """Truncated files and polyglots."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a.txt"), "text")  # without the time
    tails = {"zip": file.getvalue(), "pdf": b"%PDF-1.7 x", "markup": b"<script>x</script>"}
    chosen = ("jpeg", "png L", "tiff raw", "webp lossless", "bmp L")
    cut = {f"{name}, cut": whole[name][: 2 * len(whole[name]) // 3] for name in chosen}
    polyglot = {
        f"{name} and {kind}": whole[name] + tail
        for name, (kind, tail) in product(chosen, tails.items())
    }
    return cut | polyglot


def _costly() -> dict[str, bytes]:
    """Small versions of the bombs in tests/crafted.py."""
    png, jpeg = encode(CHEST, "PNG"), encode(CHEST, "JPEG", progressive=True)
    scan, end = jpeg.rindex(b"\xff\xda"), jpeg.rindex(b"\xff\xd9")
    exif = chunk(b"eXIf", tiff((273, 3, 99, 400), data=b"\1\0" * 99))
    return {
        "png profile": png[:33] + PROFILE + png[33:],
        "png exif of strips": png[:33] + exif + png[33:],
        "png texts": png[:33] + chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(999))) * 9 + png[33:],
        "jpeg of many scans": jpeg[:end] + jpeg[scan:end] * 25 + jpeg[end:],
        "tiff of fractions": tiff(
            *((273, 4, 1, 500), *STRIP[1:]),
            (34665, 4, 1, 400),
            data=struct.pack("<HHHIII", 1, 33434, 5, 9, 500, 0).ljust(100, b"\0") + b"\1\0" * 99,
        ),
    }
