"""BMP variants that Pillow rejects or decodes slowly: bit fields of any layout, and RLE8.

Layouts: Microsoft, "Bitmap Header Types" and "Bitmap Compression"; OS/2 has two more headers.
"""

import struct
from dataclasses import dataclass

import numpy as np

from chestxray.errors import TruncatedImage, UnreadableImage, UnsupportedVariant
from chestxray.greys import Values, luma

HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)
"""Sizes of the DIB header, which follows the file header; the size identifies its version."""

_OS2_HEADERS = (12, 16, 64)
_FILE_HEADER, _INFO_HEADER = 14, 40
_PLAIN, _RLE8, _BIT_FIELDS, _ALPHA_BIT_FIELDS = 0, 1, 3, 6
_UNSUPPORTED = {2: "RLE4 compression", 4: "an embedded JPEG", 5: "an embedded PNG"}
_END_OF_PICTURE, _JUMP = 1, 2
_MIN_NUMPY_BYTES = 32  # of run pairs; below this, numpy's call overhead dominates
_PILLOW_BITS = (1, 4, 8, 16, 24, 32)


@dataclass(frozen=True, kw_only=True)
class Header:
    """The pixel layout of a BMP file."""

    width: int
    height: int
    bits: int  # per pixel
    compression: int
    offset: int  # of the pixels, in bytes
    size: int  # of the DIB header, in bytes
    top_down: bool

    @property
    def for_pillow(self) -> bool:
        """Whether Pillow decodes this variant correctly."""
        return self.compression == _PLAIN

    @property
    def bits_of_sample(self) -> int:
        """Bits per colour channel, or per palette index."""
        return self.bits if self.bits <= 8 else {16: 5}.get(self.bits, 8)


def header(data: bytes) -> Header:
    """Reads the header. Raises UnsupportedVariant, TruncatedImage or UnreadableImage."""
    offset, size = struct.unpack_from("<II", data.ljust(18, b"\0"), 10)
    if len(data) < _FILE_HEADER + size or size not in HEADERS:
        raise TruncatedImage("the BMP file ends within its header; send it whole")
    if size < _INFO_HEADER:
        layout = "<HHHH" if size == 12 else "<IIHH"
        width, height, _, bits = struct.unpack_from(layout, data, 18)
        compression = _PLAIN
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    found = Header(
        width=width,
        height=abs(height),
        bits=bits,
        compression=compression,
        offset=offset,
        size=size,
        top_down=height < 0,
    )
    _check(found)
    return found


def _check(found: Header) -> None:
    os2 = found.size in _OS2_HEADERS and found.compression >= _BIT_FIELDS
    reason = "an OS/2 compression" if os2 else _UNSUPPORTED.get(found.compression)
    if found.compression == _PLAIN and found.bits not in _PILLOW_BITS:
        reason = f"{found.bits} bits per pixel"
    if found.size == 16:
        reason = "a short OS/2 header"
    known = found.compression in (_PLAIN, _RLE8, _BIT_FIELDS, _ALPHA_BIT_FIELDS)
    if not known and reason is None:
        reason = f"compression {found.compression}"
    if reason is not None:
        raise UnsupportedVariant(
            f"a BMP file with {reason} is not supported; save it as PNG, or as 8-bit or 24-bit BMP",
            found=f"BMP with {reason}",
        )
    if found.width <= 0 or not found.height:
        raise UnreadableImage("the BMP file has a picture without pixels")


def grey(data: bytes, found: Header) -> Values:
    """Decodes a BMP that Pillow does not support to uint8 (H, W). Raises RejectedImage."""
    if found.compression == _RLE8:
        values = _palette(data, found)[_run_lengths(data, found)]
    else:
        values = _bit_fields(data, found)
    return values if found.top_down else values[::-1]


def _palette(data: bytes, found: Header) -> Values:
    """Returns the grey value of each of 256 indices; undefined ones are black."""
    start = _FILE_HEADER + found.size
    colours = np.zeros((256, 4), np.uint8)
    entries = np.frombuffer(data[start : min(start + 1024, found.offset)], np.uint8)
    entries = entries[: len(entries) // 4 * 4].reshape(-1, 4)
    colours[: len(entries)] = entries
    return np.asarray(luma(colours[None, :, 2::-1])[0])


def _bit_fields(data: bytes, found: Header) -> Values:
    if found.bits not in (16, 32):
        raise UnreadableImage(f"the BMP file has bit fields in {found.bits} bits")
    row = -(-found.width * found.bits // 32) * 4
    size = row * found.height
    if found.offset + size > len(data):
        raise TruncatedImage("the BMP file ends before its pixels do; send it whole")
    raw = np.frombuffer(data, np.uint8, size, found.offset).reshape(found.height, row)
    numbers = raw.view(f"<u{found.bits // 8}")[:, : found.width]
    # After the 40-byte header, or within a later one: either way at the same offset.
    masks = struct.unpack_from("<III", data.ljust(66, b"\0"), _FILE_HEADER + _INFO_HEADER)
    values = np.empty(numbers.shape, np.uint8)
    for line, into in zip(numbers, values, strict=True):
        into[:] = luma(np.stack([_channel(line, mask) for mask in masks], axis=-1)[None])[0]
    return values


def _channel(numbers: Values, mask: int) -> Values:
    """Extracts the bits of a mask and scales them to 0..255."""
    if not mask:
        return np.zeros(numbers.shape, np.uint8)
    shift = (mask & -mask).bit_length() - 1
    white = mask >> shift
    return np.asarray(np.rint(((numbers & mask) >> shift) * (255 / white)), np.uint8)


def _run_lengths(data: bytes, found: Header) -> Values:
    """Decodes RLE8 to indices uint8 (H, W); skipped pixels get index 0."""
    if found.bits != 8:
        raise UnreadableImage(f"the BMP file has run lengths of {found.bits} bits")
    indices = np.zeros((found.height, found.width), np.uint8)
    position = found.offset
    for row in indices:
        line, position, last = _line(data, position, found.width)
        row[: len(line)] = np.frombuffer(line, np.uint8)
        if last:
            break
    return indices


def _line(data: bytes, start: int, width: int) -> tuple[bytearray, int, bool]:
    """Returns a row, the position of the next one, and whether this row is the last."""
    # The most a row can take: two bytes per pixel, and two for the end marker.
    window = data[start : start + 2 * (width + 1)]
    counts = np.frombuffer(window, np.uint8, len(window) // 2 * 2)[::2]
    line, position = bytearray(), 0
    for escape in (2 * np.flatnonzero(counts == 0)).tolist():
        if escape < position:  # inside a literal run
            continue
        _repeat(window[position:escape], line)
        value = window[escape + 1]
        position = escape + 2
        if value > _JUMP:
            line += window[position : position + value]
            position += value + value % 2
        if value <= _JUMP or len(line) > width:
            break
    else:
        raise TruncatedImage("the BMP file has a row without an end; send it whole")
    if len(line) > width or value == _JUMP:
        raise UnreadableImage("the BMP file has run lengths that leave their row")
    return line, start + position, value == _END_OF_PICTURE


def _repeat(pairs: bytes, line: bytearray) -> None:
    """Appends runs, each a pair of count and value."""
    if len(pairs) >= _MIN_NUMPY_BYTES:
        both = np.frombuffer(pairs, np.uint8)
        line += np.repeat(both[1::2], both[::2]).tobytes()
        return
    for place in range(0, len(pairs), 2):
        line += pairs[place + 1 : place + 2] * pairs[place]
