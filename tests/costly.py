"""Files that are expensive to decode for their size, with a parameter for the amount of work.

The parameter is the side of a square in pixels, or the number of tiles, texts or fields.
"""

import io
import re
import struct
import zlib
from collections.abc import Callable
from functools import cache, partial
from itertools import product
from typing import Any

import numpy as np
from PIL import Image

from tests import dicoms
from tests.crafted import chunk
from tests.phantoms import encode

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TILE = 512


def _blank(side: int, *shape: int) -> np.ndarray:
    return np.zeros((side, side, *shape), np.uint8)


def _noise(side: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (side, side, *shape), np.uint8)


def _dots(side: int, *shape: int) -> np.ndarray:
    return _noise(side, *shape) // 128 * 255


def _jpeg_scans(data: bytes) -> tuple[bytes, list[bytes], bytes]:
    """The bytes before the first scan, each scan with the tables before it, and the end."""
    end = data.rindex(b"\xff\xd9")
    starts = [match.start() for match in re.finditer(b"\xff\xda", data)]
    first = data.rindex(b"\xff\xc4", 0, starts[0]) if b"\xff\xc4" in data else starts[0]
    first = min(first, starts[0])
    ends = [data.find(b"\xff\xc4", start) for start in starts[:-1]] + [end]
    parts = [data[a:b] for a, b in zip([first, *ends[:-1]], ends, strict=True)]
    return data[:first], parts, data[end:]


def jpeg_of_passes(side: int, *, mode: str | None, scans: int = 40) -> bytes:
    """A JPEG that repeats its last scan."""
    head, parts, end = _jpeg_scans(encode(_blank(side, 3), "JPEG", mode=mode, progressive=True))
    return head + b"".join(parts) + parts[-1] * (scans - len(parts)) + end


def jpeg_of_first_scan(side: int, *, mode: str | None) -> bytes:
    """A JPEG of its first scan only, so that the decoder interpolates the rest."""
    head, parts, end = _jpeg_scans(encode(_noise(side, 3), "JPEG", mode=mode, progressive=True))
    return head + parts[0] + end


def png(
    width: int,
    height: int,
    *,
    depth: int = 8,
    kind: int = 0,
    interlaced: bool = False,
    filtered: int = 0,
    before: bytes = b"",
) -> bytes:
    """A blank PNG of any colour type and depth."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4)]
        passes += [(1, 0, 2, 2), (0, 1, 1, 2)]
    compress = zlib.compressobj(9)
    rows = b""
    for x0, y0, dx, dy in passes:
        columns = len(range(x0, width, dx))
        if columns:
            row = bytes([filtered]) + bytes(-(-columns * channels * depth // 8))
            for _ in range(y0, height, dy):
                rows += compress.compress(row)
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced)
    palette = chunk(b"PLTE", bytes(768)) if kind == 3 else b""
    pixels = chunk(b"IDAT", rows + compress.flush())
    head = _SIGNATURE + chunk(b"IHDR", header) + palette + before
    return head + pixels + chunk(b"IEND")


def png_of_chunks(count: int) -> bytes:
    data = png(16, 16)
    return data[:-12] + chunk(b"IDAT") * count + data[-12:]


def tiff(*fields: tuple[int, int, tuple[int, ...]], data: bytes = b"") -> bytes:
    """A TIFF of fields (tag, type, values); an offset in 273 and 324 is counted from the data."""
    fields = tuple(sorted(fields))
    after = 8 + 2 + 12 * len(fields) + 4
    sizes = {3: "H", 4: "I"}
    outside = [struct.calcsize(f"<{len(v)}{sizes[k]}") for _, k, v in fields]
    start = after + sum(size for size in outside if size > 4)
    entries, values = b"", b""
    for (tag, kind, numbers), size in zip(fields, outside, strict=True):
        moved = [n + start for n in numbers] if tag in (273, 324) else numbers
        packed = struct.pack(f"<{len(numbers)}{sizes[kind]}", *moved)
        entries += struct.pack("<HHI", tag, kind, len(numbers))
        if size > 4:
            entries += struct.pack("<I", after + len(values))
            values += packed
        else:
            entries += packed.ljust(4, b"\0")
    head = b"II*\0" + struct.pack("<IH", 8, len(fields)) + entries + bytes(4)
    return head + values + data


def tiff_of_tiles(
    count: int, *, compression: int, tile: bytes, length: int = _TILE, at_once: int = 1
) -> bytes:
    """A TIFF of one row of pixels, whose tiles all share the same data."""
    across = count // at_once
    return tiff(
        (256, 4, (across * _TILE,)),
        (257, 4, (1 if at_once == 1 else at_once * length,)),
        (258, 3, (8,)),
        (259, 3, (compression,)),
        (262, 3, (1,)),
        (277, 3, (1,)),
        (322, 4, (_TILE,)),
        (323, 4, (length,)),
        (324, 4, (0,) * count),
        (325, 4, (len(tile),) * count),
        data=tile,
    )


def tiff_of_strips(rows: int, *, compression: int, strip: bytes, width: int) -> bytes:
    """A TIFF with one strip per row, all of which share the same data."""
    return tiff(
        (256, 4, (width,)),
        (257, 4, (rows,)),
        (258, 3, (8,)),
        (259, 3, (compression,)),
        (262, 3, (1,)),
        (273, 4, (0,) * rows),
        (278, 4, (1,)),
        (279, 4, (len(strip),) * rows),
        data=strip,
    )


def tiff_of_fields(count: int) -> bytes:
    """A TIFF with many fields that all share the same values."""
    plain = tiff((256, 4, (8,)), (257, 4, (8,)), (273, 4, (0,)), (279, 4, (64,)), data=bytes(64))
    entries = b"".join(struct.pack("<HHII", 40000 + i, 5, 100, 8) for i in range(count))
    (known,) = struct.unpack_from("<H", plain, 8)
    head = plain[:8] + struct.pack("<H", known + count) + plain[10 : 10 + 12 * known]
    return head + entries + bytes(4) + bytes(900)


def jpeg_tile(scans: int) -> bytes:
    return jpeg_of_passes(_TILE, mode="L", scans=scans)


def lzw_strip(side: int) -> bytes:
    """The LZW-coded strip of a blank square."""
    written = encode(_blank(side), "TIFF", compression="tiff_lzw", strip_size=side * side)
    with Image.open(io.BytesIO(written)) as image:
        (start,), (count,) = image.tag_v2[273], image.tag_v2[279]  # type: ignore[attr-defined]
    return written[start : start + count]


Maker = Callable[[int], bytes]


def _jpegs() -> dict[str, Maker]:
    kinds: dict[str, Maker] = {}
    quick = {"quality": 100, "restart_marker_blocks": 1}
    for mode, options in product(("L", "RGB", "CMYK"), ({}, {"progressive": True}, quick)):
        for name, fill in (("blank", _blank), ("noise", _noise)):
            kinds[f"jpeg of {name}, {mode} {options}"] = partial(
                _encoded, fill, 3, "JPEG", mode=mode, **options
            )
    for mode in ("L", "CMYK"):
        kinds[f"jpeg of many passes, {mode}"] = partial(jpeg_of_passes, mode=mode)
        kinds[f"jpeg of one scan, {mode}"] = partial(jpeg_of_first_scan, mode=mode)
    return kinds


def _pngs() -> dict[str, Maker]:
    kinds: dict[str, Maker] = {
        "png, wide": lambda side: png(side * side // 8, 8, kind=6, depth=16),
        "png, tall": lambda side: png(8, side * side // 8),
        "png, tall and interlaced": lambda side: png(8, side * side // 8, interlaced=True),
        "png of noise": partial(_encoded, _noise, 3, "PNG", compress_level=1),
        "png of chunks": png_of_chunks,
    }
    depths = ((0, 1), (0, 8), (0, 16), (2, 16), (3, 1), (3, 8), (4, 16), (6, 8), (6, 16))
    for (kind, depth), options in product(depths, ({}, {"filtered": 4}, {"interlaced": True})):
        kinds[f"png of type {kind}, {depth} bit {options}"] = partial(
            _square_png, kind=kind, depth=depth, **options
        )
    return kinds


def _square_png(side: int, **options: Any) -> bytes:
    return png(side, side, **options)


def _tiffs() -> dict[str, Maker]:
    kinds: dict[str, Maker] = {
        "tiff of noise, lzw": partial(_encoded, _noise, 1, "TIFF", compression="tiff_lzw"),
        "tiff of noise, jpeg": partial(_encoded, _noise, 3, "TIFF", compression="jpeg"),
        "tiff of tiles that say nothing": partial(
            _tiles, compression=32773, tile=b"\x80" * 2**16 + b"\x81\0" * 2048
        ),
        "tiff of jpeg tiles": lambda side: _tiles(side, compression=7, tile=jpeg_tile(6)),
        "tiff of a jpeg tile of passes": lambda side: tiff_of_tiles(
            1, compression=7, tile=jpeg_tile(40)
        ),
        "tiff of strips": lambda side: tiff_of_strips(
            side, compression=1, strip=bytes(side), width=side
        ),
        "tiff of deflated strips": lambda side: tiff_of_strips(
            side, compression=8, strip=zlib.compress(bytes(side), 9), width=side
        ),
        "tiff of tiny strips": lambda side: tiff_of_strips(
            side, compression=1, strip=b"\0", width=1
        ),
        "tiff of fields": lambda side: tiff_of_fields(min(side, 60_000)),
    }
    for compression, tile in TILES.items():
        kinds[f"tiff of tiles, {compression}"] = partial(_tiles, compression=compression, tile=tile)
    modes = ("L", "RGB", "LAB", "CMYK", "YCbCr", "I", "F")
    for mode, name in product(modes, ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits")):
        kinds[f"tiff, {mode} {name}"] = partial(
            _encoded, _blank, 3, "TIFF", mode=mode, compression=name
        )
    return kinds


def _tiles(side: int, *, compression: int, tile: bytes) -> bytes:
    """A TIFF of as many tiles as cover a square."""
    return tiff_of_tiles(max(1, side * side // _TILE**2), compression=compression, tile=tile)


def _webps() -> dict[str, Maker]:
    kinds: dict[str, Maker] = {}
    lossy, lossless = {"quality": 80, "method": 0}, {"lossless": True, "quality": 0, "method": 0}
    for channels, options in ((3, lossy), (4, lossy), (3, lossless)):
        for name, fill in (("blank", _blank), ("noise", _noise), ("dots", _dots)):
            kinds[f"webp of {name}, {channels} {options}"] = partial(
                _encoded, fill, channels, "WEBP", **options
            )
    return kinds


def _bmps() -> dict[str, Maker]:
    modes = ("1", "L", "P", "RGB", "RGBA")
    return {f"bmp, {mode}": partial(_encoded, _blank, 3, "BMP", mode=mode) for mode in modes}


def _encoded(
    fill: Callable[..., np.ndarray], channels: int, format_: str, side: int, **options: Any
) -> bytes:
    pixels = fill(side, channels) if channels > 1 else fill(side)
    return encode(pixels, format_, **options)


def _dicoms() -> dict[str, Maker]:
    """Blank ones; what is not blank costs little for its size."""
    return {
        f"dicom, {name}": lambda side, write=write: write(
            dicoms.dataset(np.zeros((side, side), np.uint16), **dicoms.ALWAYS_THE_SAME)
        )
        for name, write in (dicoms.LOSSLESS | dicoms.LOSSY).items()
    }


TILES = {
    1: bytes(_TILE * _TILE),
    5: lzw_strip(_TILE),
    8: zlib.compress(bytes(_TILE * _TILE), 9),
    32773: b"\x81\0" * (_TILE * _TILE // 128),
}
"""Blank ones, by their compression."""
KINDS: dict[str, Maker] = _jpegs() | _pngs() | _tiffs() | _webps() | _bmps() | _dicoms()


@cache
def cached_file(kind: str, side: int) -> bytes:
    """A file of the given kind, made once for all tests that use it."""
    return KINDS[kind](side)
