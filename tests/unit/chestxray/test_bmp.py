"""BMP: bit fields, run-length encoding, every header version and row order."""

import struct

import numpy as np
import pytest

from chestxray import errors
from chestxray.images import read
from tests.cpu_time import least_cpu_seconds
from tests.phantoms import encode, phantom

CHEST = phantom(101, 67)
HEIGHT, WIDTH = CHEST.shape
PALETTE = bytes(np.repeat(np.arange(256), 4).astype(np.uint8))


def bmp(
    pixels: bytes,
    bits: int,
    *,
    compression: int = 0,
    extra: bytes = b"",
    header: int = 40,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> bytes:
    """A BMP file with a header of 40 bytes or more; `extra` follows the first 40."""
    info = struct.pack("<IiiHHIIiiII", header, *size, 1, bits, compression, 0, 0, 0, 0, 0)
    start = 14 + len(info + extra)
    file = struct.pack("<2sIHHI", b"BM", start + len(pixels), 0, 0, start)
    return file + info + extra + pixels


def padded_rows(values: np.ndarray) -> bytes:
    """The rows of an image, bottom row first, each padded to four bytes."""
    return b"".join(row.tobytes() + bytes(-row.nbytes % 4) for row in values[::-1])


def packed_masks(*masks: int) -> bytes:
    return struct.pack(f"<{len(masks)}I", *masks)


def packed_pixels(kind: type, *masks: int) -> np.ndarray:
    """The radiograph packed into the given bit fields."""
    total = np.zeros(CHEST.shape, np.uint32)
    for mask in masks:
        shift = (mask & -mask).bit_length() - 1
        width = (mask >> shift).bit_length()
        wide = CHEST.astype(np.uint32)
        total |= (wide >> (8 - width) if width <= 8 else wide << (width - 8)) << shift
    return total.astype(kind)


FIVE = np.rint((CHEST >> 3) * (255 / 31)).astype(int)
PLAIN, BGR, X555, X565 = (
    (0xFF0000, 0xFF00, 0xFF),
    (0xFF, 0xFF00, 0xFF0000),
    (0x7C00, 0x3E0, 0x1F),
    (0xF800, 0x7E0, 0x1F),
)
ALPHA = 0xFF000000
FIELDS = {
    "as usual": bmp(
        padded_rows(packed_pixels(np.uint32, *PLAIN)), 32, compression=3, extra=packed_masks(*PLAIN)
    ),
    "the other way": bmp(
        padded_rows(packed_pixels(np.uint32, *BGR)), 32, compression=3, extra=packed_masks(*BGR)
    ),
    "odd places": bmp(
        padded_rows(packed_pixels(np.uint32, 0xFF << 22, 0xFF << 11, 0xFF)),
        32,
        compression=3,
        extra=packed_masks(0xFF << 22, 0xFF << 11, 0xFF),
    ),
    "of a V4 header": bmp(
        padded_rows(packed_pixels(np.uint32, *PLAIN)),
        32,
        compression=3,
        extra=packed_masks(*PLAIN, ALPHA).ljust(68, b"\0"),
        header=108,
    ),
    "of a V5 header": bmp(
        padded_rows(packed_pixels(np.uint32, *PLAIN)),
        32,
        compression=3,
        extra=packed_masks(*PLAIN, ALPHA).ljust(84, b"\0"),
        header=124,
    ),
    "with alpha": bmp(
        padded_rows(packed_pixels(np.uint32, *PLAIN)),
        32,
        compression=6,
        extra=packed_masks(*PLAIN, ALPHA),
    ),
    "from the top": bmp(
        padded_rows(packed_pixels(np.uint32, *PLAIN)[::-1]),
        32,
        compression=3,
        extra=packed_masks(*PLAIN),
        size=(WIDTH, -HEIGHT),
    ),
}


@pytest.mark.parametrize("name", FIELDS)
def test_32_bit_fields_are_read_exactly(name: str) -> None:
    assert np.array_equal(read(FIELDS[name]).values, CHEST)


def test_10_bit_fields_are_read() -> None:
    masks = 0x3FF << 20, 0x3FF << 10, 0x3FF
    data = bmp(
        padded_rows(packed_pixels(np.uint32, *masks)), 32, compression=3, extra=packed_masks(*masks)
    )

    assert np.abs(read(data).values.astype(int) - CHEST).max() <= 1


@pytest.mark.parametrize("masks", [X555, X565])
def test_16_bit_fields_are_read(masks: tuple[int, ...]) -> None:
    data = bmp(
        padded_rows(packed_pixels(np.uint16, *masks)), 16, compression=3, extra=packed_masks(*masks)
    )

    assert np.abs(read(data).values.astype(int) - FIVE).max() <= 3  # green may have six


def test_16_bit_pixels_without_masks_are_read_as_5_bits_per_colour() -> None:
    data = bmp(padded_rows(packed_pixels(np.uint16, *X555)), 16)

    assert np.abs(read(data).values.astype(int) - FIVE).max() <= 1


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA"])
def test_common_bmp_is_read_exactly(mode: str) -> None:
    assert np.array_equal(read(encode(CHEST, "BMP", mode=mode)).values, CHEST)


def test_os2_header_is_read() -> None:
    palette = bytes(np.repeat(np.arange(256), 3).astype(np.uint8))
    info = struct.pack("<IHHHH", 12, WIDTH, HEIGHT, 1, 8)
    start = 14 + len(info) + len(palette)
    head = struct.pack("<2sIHHI", b"BM", 0, 0, 0, start)

    assert np.array_equal(read(head + info + palette + padded_rows(CHEST)).values, CHEST)


def run_coded(row: np.ndarray) -> bytes:
    """A row coded as runs only, as ImageMagick writes it."""
    ends = np.flatnonzero(np.diff(row, append=row[-1] ^ 1)) + 1
    lengths = np.diff(ends, prepend=0)
    return b"".join(bytes([n, row[end - 1]]) for n, end in zip(lengths, ends, strict=True))


def literal_coded(row: np.ndarray) -> bytes:
    """A row coded as literal pixels, with runs for a remainder of one or two."""
    parts = [row[at : at + 99].tobytes() for at in range(0, len(row), 99)]
    return b"".join(
        bytes([0, len(part)]) + part + bytes(len(part) % 2)
        if len(part) > 2
        else b"".join(bytes([1, value]) for value in part)
        for part in parts
    )


def mixed_coded(row: np.ndarray) -> bytes:
    return run_coded(row[:40]) + literal_coded(row[40:80]) + run_coded(row[80:])


@pytest.mark.parametrize("code", [run_coded, literal_coded, mixed_coded])
@pytest.mark.parametrize("end", [b"\0\0", b"\0\1"])
def test_run_length_coded_bmp_is_read_exactly(code: object, end: bytes) -> None:
    lines = [code(row) for row in CHEST[::-1]]  # type: ignore[operator]
    data = bmp(b"\0\0".join(lines) + end, 8, compression=1, extra=PALETTE)

    found = read(data)

    assert np.array_equal(found.values, CHEST)
    assert found.input.bits == 8


def test_pixels_after_an_end_marker_have_the_first_colour() -> None:
    data = bmp(b"\x05\x09\0\0\x03\x07\0\1", 8, compression=1, extra=PALETTE)

    found = read(data).values

    assert found[-1, :6].tolist() == [9, 9, 9, 9, 9, 0]
    assert found[-2, :4].tolist() == [7, 7, 7, 0]
    assert not found[:-2].any()


@pytest.mark.parametrize(
    "stream",
    [b"\xff\x01" * 9 + b"\0\1", b"\0\2\1\1\0\1", b"\0\xff" + bytes(256) + b"\0\1"],
    ids=["longer than its row", "jump", "more pixels than its row"],
)
def test_run_beyond_the_end_of_its_row_is_rejected(stream: bytes) -> None:
    with pytest.raises(errors.UnreadableImage, match="leave their row"):
        read(bmp(stream, 8, compression=1, extra=PALETTE))


@pytest.mark.parametrize("stream", [b"", b"\x05", b"\x05\x09" * 3, b"\0\x20abc"])
def test_run_length_data_without_an_end_marker_is_truncated(stream: bytes) -> None:
    with pytest.raises(errors.TruncatedImage):
        read(bmp(stream, 8, compression=1, extra=PALETTE))


def test_cpu_time_of_many_short_runs_is_bounded() -> None:
    """Pillow decodes them pixel by pixel in Python."""
    side = 3000
    shortest = b"\0\3abc\0" * (side // 3) + b"\0\0"
    data = bmp(shortest * side, 8, compression=1, extra=PALETTE, size=(side, side))

    seconds = least_cpu_seconds(lambda: read(data))

    assert seconds < 0.15 * len(data) / 2**20


UNSUPPORTED = {
    "RLE4 compression": bmp(b"\0\1", 4, compression=2, extra=PALETTE[:64]),
    "an embedded JPEG": bmp(encode(CHEST, "JPEG"), 0, compression=4),
    "an embedded PNG": bmp(encode(CHEST, "PNG"), 0, compression=5),
    "2 bits per pixel": bmp(bytes(9999), 2, extra=PALETTE[:16]),
    "compression 99": bmp(bytes(9999), 8, compression=99),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_rejection_of_an_unsupported_bmp_names_the_variant(name: str) -> None:
    with pytest.raises(errors.UnsupportedVariant, match=f"with {name} is not supported; save"):
        read(UNSUPPORTED[name])


@pytest.mark.parametrize("cut", [1, 50, 5000])
@pytest.mark.parametrize("name", FIELDS)
def test_bit_field_data_that_ends_early_is_truncated(name: str, cut: int) -> None:
    with pytest.raises(errors.TruncatedImage):
        read(FIELDS[name][:-cut])
