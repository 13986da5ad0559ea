"""TIFF files with layouts that no library writes, packed by hand-written code."""

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

NONE, LZW, DEFLATE, PACKBITS = 1, 5, 8, 32773
FLOAT = 3
_DTYPES = {"B": 1, "H": 3, "I": 4}


def tiff(
    samples: np.ndarray,
    *,
    bits: int,
    order: str = "<",
    sample_format: int = 1,
    photometric: int = 1,
    compression: int = NONE,
    predictor: int = 1,
    rows: int = 50,
    reverse: bool = False,
    more: Sequence[tuple[int, str, tuple[int, ...]]] = (),
) -> bytes:
    """Writes (H, W, samples), in strips of some rows; `reverse` fills bytes from the other end."""
    height, width, each = samples.shape
    packed = [packed_row(row.ravel(), bits, order) for row in samples]
    if predictor == 3:
        packed = [float_differences(row.ravel(), each) for row in samples]
    strips = [b"".join(packed[top : top + rows]) for top in range(0, height, rows)]
    width_bytes = len(packed[0])
    coded = [compress(strip, compression, width_bytes) for strip in strips]
    if reverse:
        coded = [bytes(int(f"{byte:08b}"[::-1], 2) for byte in strip) for strip in coded]
    places = [8 + sum(map(len, coded[:index])) for index in range(len(coded))]
    fields = {
        256: ("I", (width,)),
        257: ("I", (height,)),
        258: ("H", (bits,) * each),
        259: ("H", (compression,)),
        262: ("H", (photometric,)),
        266: ("H", (2 if reverse else 1,)),
        273: ("I", tuple(places)),
        277: ("H", (each,)),
        278: ("I", (rows,)),
        279: ("I", tuple(map(len, coded))),
        317: ("H", (predictor,)),
        339: ("H", (sample_format,) * each),
    } | {tag: (kind, values) for tag, kind, values in more}
    return file_of(b"".join(coded), fields, order)


def file_of(body: bytes, fields: dict[int, tuple[str, tuple[int, ...]]], order: str = "<") -> bytes:
    """A TIFF file with a body at byte 8, followed by a directory of the given fields."""
    start = 8 + len(body)
    outside = start + 2 + 12 * len(fields) + 4
    entries, values_outside = b"", b""
    for tag, (kind, values) in sorted(fields.items()):
        data = struct.pack(f"{order}{len(values)}{kind}", *values)
        if len(data) > 4:
            place = struct.pack(f"{order}I", outside + len(values_outside))
            values_outside += data
        else:
            place = data.ljust(4, b"\0")
        entries += struct.pack(f"{order}HHI", tag, _DTYPES[kind], len(values)) + place
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(f"{order}HI", 42, start)
    count = struct.pack(f"{order}H", len(fields))
    return head + body + count + entries + bytes(4) + values_outside


def packed_row(row: np.ndarray, bits: int, order: str) -> bytes:
    if row.dtype.kind == "f" or bits in (8, 16, 32, 64):
        return row.astype(row.dtype.newbyteorder(order)).tobytes()
    if bits == 24:
        wide = row.astype(f"{order}u4").view(np.uint8).reshape(-1, 4)
        return (wide[:, :3] if order == "<" else wide[:, 1:]).tobytes()
    digits = "".join(f"{value:0{bits}b}" for value in row.tolist())
    return bytes(int(digits[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(digits), 8))


def float_differences(row: np.ndarray, each: int) -> bytes:
    """The floating-point predictor of TIFF technical note 3."""
    planes = row.astype(row.dtype.newbyteorder(">")).view(np.uint8).reshape(len(row), -1)
    data = planes.T.ravel()
    result = data.copy()
    result[each:] = data[each:] - data[:-each]
    return result.tobytes()


def compress(strip: bytes, compression: int, width: int) -> bytes:
    match compression:
        case 8:
            return zlib.compress(strip)
        case 32773:
            parts = [strip[at : at + 128] for at in range(0, len(strip), 128)]
            return b"".join(bytes([len(part) - 1]) + part for part in parts)
        case 5:
            file = io.BytesIO()
            image = Image.frombytes("L", (width, len(strip) // width), strip)
            image.save(file, "TIFF", compression="tiff_lzw", strip_size=len(strip))
            tags = Image.open(file).tag_v2  # type: ignore[attr-defined]
            (start,), (size,) = tags[273], tags[279]
            return file.getvalue()[start : start + size]
        case _:
            return strip
