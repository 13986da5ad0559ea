"""Decodes the samples of a TIFF page at full depth: integers and floats of up to 64 bits.

Pillow supports few of these depths, but its libtiff can decompress any bytes: it gets the strips or
tiles as 8-bit grey, and numpy reinterprets the result. This happens band by band, so that an image
is never in memory with all of its channels.
"""

import io
from collections.abc import Iterator
from itertools import accumulate

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from chestxray import tiff
from chestxray.errors import TruncatedImage, UnreadableImage, UnsupportedVariant
from chestxray.greys import BAND_BYTES, Values, luma, pixels
from chestxray.tiff import FLOAT, NATIVE_BITS, NO_COMPRESSION, SIGNED, UNSIGNED, Page

_MAX_SEGMENT_BYTES = 80 * 2**20  # libtiff decodes a strip or tile at once
_MAX_OVERHANG = 4  # maximum area of all tiles over the area of the image
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_KINDS = {UNSIGNED: "u", SIGNED: "i", FLOAT: "f"}
_HEADER = b"II*\0\x08\0\0\0"
_STRIP_OFFSETS, _LONG = 273, 4


def grey(data: bytes, page: Page, steps: tuple[int, int]) -> Values:
    """Returns grey values (H, W), larger is brighter. Raises RejectedImage.

    Up to 8 bits they are uint8 scaled to 0..255. Values of more than 16 bits, and floats, are
    averaged over blocks of `steps` (down, across) pixels.
    """
    _check_cost(page)
    greys = _greys(_blocks(data, page), page)
    if steps != (1, 1) and (page.bits > 16 or page.sample_format == FLOAT):
        values = np.concatenate(list(_means(greys, *steps)))
    else:
        values = _stacked(greys, page)
    return _white_is_one(values, page) if page.photometric == tiff.WHITE_IS_ZERO else values


def _check_cost(page: Page) -> None:
    (width, height), (down, across) = page.segment, _grid(page)
    size = height * _row_bytes(page)
    if page.compression != NO_COMPRESSION and size > _MAX_SEGMENT_BYTES:
        raise UnsupportedVariant(
            f"a TIFF file with strips or tiles of {size} bytes is not supported; save it with "
            "smaller ones, or without compression",
            found="TIFF with huge strips",
        )
    if width * across * height * down > _MAX_OVERHANG * (page.width * page.height + 512 * 512):
        raise UnreadableImage("the TIFF file has tiles far larger than its picture")
    planes = page.samples if page.planar else 1
    if len(page.offsets) < down * across * planes:
        raise TruncatedImage("the TIFF file has fewer strips or tiles than its picture needs")


def _grid(page: Page) -> tuple[int, int]:
    """Returns the number of strips or tiles (down, across)."""
    width, height = page.segment
    return -(-page.height // height), -(-page.width // width)


def _row_bytes(page: Page) -> int:
    """Bytes per row of a strip or tile, rounded up."""
    return -(-page.segment[0] * (1 if page.planar else page.samples) * page.bits // 8)


def _blocks(data: bytes, page: Page) -> Iterator[Values]:
    """Yields bands of samples (rows, W, samples), from the top."""
    height, (down, across) = page.segment[1], _grid(page)
    planes = page.samples if page.planar else 1
    at_once = max(1, BAND_BYTES // (across * height * _row_bytes(page)))
    for first in range(0, down, at_once):
        count = min(at_once, down - first) * across
        rows = min(page.height - first * height, at_once * height)
        starts = [(plane * down + first) * across for plane in range(planes)]
        parts = [_block(data, page, range(at, at + count), rows) for at in starts]
        yield parts[0] if planes == 1 else np.concatenate(parts, axis=2)


def _block(data: bytes, page: Page, segments: range, rows: int) -> Values:
    """Decodes consecutive strips, or rows of tiles, to (rows, W, samples)."""
    width, height = page.segment
    # The last strip ends with the image; tiles extend beyond it.
    raw = _raw(data, page, segments, len(segments) * height if page.tiled else rows)
    samples = _unpacked(raw, page)
    if page.tiled:
        across = _grid(page)[1]
        tiles = samples.reshape(-1, across, height, width, samples.shape[2])
        samples = tiles.swapaxes(1, 2).reshape(-1, across * width, samples.shape[2])
    return samples[:rows, : page.width]


def _raw(data: bytes, page: Page, segments: range, rows: int) -> npt.NDArray[np.uint8]:
    """Decompresses strips or tiles to (rows, bytes of a row)."""
    row_bytes, height = _row_bytes(page), page.segment[1]
    whole = page.compression == NO_COMPRESSION
    pieces = []
    for place, segment in enumerate(segments):
        start = page.offsets[segment]
        # Some writers omit the byte counts of uncompressed data.
        known = segment < len(page.counts) and not whole
        size = min(height, rows - place * height) * row_bytes
        piece = memoryview(data)[start : start + (page.counts[segment] if known else size)]
        if whole and len(piece) < size:
            raise TruncatedImage("the TIFF file ends before its pixels do; send it whole")
        pieces.append(piece.tobytes().translate(_REVERSED) if page.bits_reversed else piece)
    if not whole:
        return _decompressed(pieces, page, rows, row_bytes)
    joined = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    return np.frombuffer(joined, np.uint8).reshape(rows, row_bytes)


def _decompressed(
    pieces: list[memoryview | bytes], page: Page, rows: int, row_bytes: int
) -> npt.NDArray[np.uint8]:
    """Decompresses with libtiff, treating each byte as a grey pixel."""
    sizes = [len(piece) for piece in pieces]
    fields = ImageFileDirectory_v2(prefix=b"II")
    fields[256], fields[257], fields[258] = row_bytes, rows, 8
    fields[259], fields[262], fields[277] = page.compression, 1, 1
    fields[278], fields[279] = page.segment[1], tuple(sizes)
    fields.tagtype[_STRIP_OFFSETS] = _LONG
    # Pillow adds the size of header and directory.
    fields[_STRIP_OFFSETS] = tuple(accumulate([0, *sizes[:-1]]))
    file = b"".join([_HEADER, fields.tobytes(len(_HEADER)), *pieces])
    with Image.open(io.BytesIO(file), formats=["TIFF"]) as image:
        image.load()
        return pixels(image)


def _unpacked(raw: npt.NDArray[np.uint8], page: Page) -> Values:
    """Converts rows of bytes to samples (rows, width, samples)."""
    each = 1 if page.planar else page.samples
    count, predictor = page.segment[0] * each, page.used_predictor
    if page.bits not in NATIVE_BITS:
        return _of_bits(raw, page, count).reshape(len(raw), -1, each)
    if predictor == tiff.FLOATING_POINT:
        numbers = _of_floating_point(raw, each, page.bits // 8)
    else:
        numbers = raw.view(f"{page.order}u{page.bits // 8}").reshape(len(raw), -1, each)
    if predictor == tiff.HORIZONTAL:
        native = numbers.dtype.newbyteorder("=")
        numbers = np.cumsum(numbers, axis=1, dtype=native)
    return _shown(numbers.view(numbers.dtype.str.replace("u", _KINDS[page.sample_format])))


def _of_floating_point(raw: npt.NDArray[np.uint8], each: int, size: int) -> Values:
    """Undoes the floating-point predictor (TIFF technical note 3): byte-wise differences."""
    rows = len(raw)
    sums = np.cumsum(raw.reshape(rows, -1, each), axis=1, dtype=np.uint8)
    by_number = np.ascontiguousarray(sums.reshape(rows, size, -1).transpose(0, 2, 1))
    return by_number.view(f">u{size}").reshape(rows, -1, each)


def _of_bits(raw: npt.NDArray[np.uint8], page: Page, count: int) -> Values:
    """Unpacks unsigned numbers of up to 16 or 24 bits; scales those below 8 bits to 0..255."""
    if page.bits == 24:
        parts = raw.reshape(len(raw), count, 3)[..., :: -1 if page.order == "<" else 1]
        return np.asarray(parts.astype(np.uint32) @ np.array([2**16, 2**8, 1], np.uint32))
    white = 2**page.bits - 1
    scale = 255 / white if page.bits < 8 and page.photometric != tiff.PALETTE else 1.0
    table = np.rint(np.arange(white + 1) * scale).astype(np.uint8 if page.bits < 8 else np.uint16)
    weights = 2 ** np.arange(page.bits, dtype=np.uint16)[::-1]
    numbers = np.empty((len(raw), count), table.dtype)
    at_once = max(1, BAND_BYTES // (count * page.bits))
    for top in range(0, len(raw), at_once):
        bits = np.unpackbits(raw[top : top + at_once], axis=1, count=count * page.bits)
        numbers[top : top + at_once] = table[bits.reshape(-1, count, page.bits) @ weights]
    return numbers


def _shown(numbers: Values) -> Values:
    """Converts to a dtype that windowing supports: not int8, float16 or 64-bit integers."""
    match numbers.dtype.kind, numbers.dtype.itemsize:
        case "i", 1:
            return numbers.view(np.uint8) ^ np.uint8(128)
        case "f", 2:
            return numbers.astype(np.float32)
        case "i" | "u", 8:
            return numbers.astype(np.float64)
        case _:
            return numbers


def _greys(blocks: Iterator[Values], page: Page) -> Iterator[Values]:
    match page.photometric:
        case tiff.RGB:
            return map(luma, blocks)
        case tiff.PALETTE:
            palette = _palette(page)
            return (palette[block[..., 0]] for block in blocks)
        case _:
            return (block[..., 0] for block in blocks)


def _palette(page: Page) -> Values:
    """Returns the grey value of each index; colours have 16 bits, with some writers 8."""
    colours = np.array(page.palette)
    if len(colours) != 3 * 2**page.bits:
        raise UnreadableImage("the TIFF file has a palette that is not of its depth")
    if colours.max() > 255:
        colours >>= 8
    return np.asarray(luma(colours.astype(np.uint8).reshape(3, -1).T[None])[0])


def _stacked(greys: Iterator[Values], page: Page) -> Values:
    first = next(greys)
    values = np.empty((page.height, page.width), first.dtype.newbyteorder("="))
    values[: len(first)] = first
    top = len(first)
    for block in greys:
        values[top : top + len(block)] = block
        top += len(block)
    return values


def _means(greys: Iterator[Values], down: int, across: int) -> Iterator[Values]:
    """Averages blocks of pixels; drops incomplete blocks at the right and bottom."""
    kept: list[Values] = []
    for block in greys:
        rows = np.concatenate([*kept, block]) if kept else block
        whole = len(rows) - len(rows) % down
        at_once = max(1, BAND_BYTES // (8 * rows.shape[1] * down)) * down
        for top in range(0, whole, at_once):
            yield _mean(rows[top : min(top + at_once, whole)], down, across)
        kept = [rows[whole:]]


@np.errstate(all="ignore")  # numpy would log crafted floats
def _mean(rows: Values, down: int, across: int) -> Values:
    if down == across == 1:
        return rows.astype(rows.dtype.newbyteorder("="))
    columns = rows.shape[1] - rows.shape[1] % across
    blocks = rows[:, :columns].reshape(len(rows) // down, down, columns // across, across)
    means = blocks.mean(axis=(1, 3), dtype=np.float64)
    return np.asarray(means, np.float32 if rows.dtype == np.float32 else np.float64)


@np.errstate(all="ignore")
def _white_is_one(values: Values, page: Page) -> Values:
    """Inverts WhiteIsZero values: up to 16 bits within the type's range, others within their own.

    Inverted within 32 bits, 12-bit data would end up where float32 cannot distinguish values.
    """
    if values.dtype.kind == "f":
        return np.asarray(-values)
    if page.sample_format == SIGNED and page.bits > 8:
        return np.asarray(-1 - values)
    if page.bits > 16:
        return np.asarray(values.max() - values)
    return np.asarray(values.dtype.type(2 ** max(8, page.bits) - 1) - values)
