"""Decoding: every kind of bad file gets its own error, at a cost that is bounded."""

import contextlib
import io
import logging
import re
import struct
import time
import tracemalloc
import warnings
import zipfile
import zlib

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from chestxray import errors
from chestxray.images import Limits, decode
from tests.phantoms import encode, phantom

CHEST = phantom(300, 360)
FORMATS = [
    ("JPEG", {}),
    ("PNG", {}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("WEBP", {"lossless": True}),
    ("BMP", {}),
]


@pytest.mark.parametrize(("format_", "options"), FORMATS)
@settings(max_examples=40, deadline=None)
@given(missing=st.one_of(st.integers(1, 30), st.integers(1, 10**6)))
def test_truncated_at_any_byte_is_refused(
    format_: str, options: dict[str, bool], missing: int
) -> None:
    data = encode(CHEST, format_, **options)
    cut = data[: max(0, len(data) - missing)]

    with pytest.raises(errors.RejectedImage):
        decode(cut)


@settings(max_examples=150, deadline=None)
@given(
    index=st.integers(0, len(FORMATS) - 1),
    places=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=20),
)
def test_damaged_bytes_give_a_picture_or_a_rejection(
    index: int, places: list[tuple[float, int]]
) -> None:
    format_, options = FORMATS[index]
    data = bytearray(encode(CHEST[:64, :64], format_, **options))
    for share, value in places:
        data[min(int(share * len(data)), len(data) - 1)] = value

    try:
        found = decode(bytes(data), limits=Limits(max_pixels=10**6))
    except errors.RejectedImage:
        return
    assert found.mode == "L"


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=2000))
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(errors.RejectedImage):
        decode(data)


def test_empty_file_has_its_own_error() -> None:
    with pytest.raises(errors.EmptyImage):
        decode(b"")


def test_text_is_an_unsupported_format() -> None:
    with pytest.raises(errors.UnsupportedFormat, match="JPEG, PNG, TIFF, WEBP, BMP"):
        decode(b"hello, I am a chest X-ray")


def test_gif_is_an_unsupported_format() -> None:
    with pytest.raises(errors.UnsupportedFormat):
        decode(encode(CHEST, "GIF"))


def test_image_over_the_byte_limit_is_rejected() -> None:
    data = encode(CHEST, "PNG")

    with pytest.raises(errors.ImageTooLarge, match=f"{len(data)} bytes; the limit is 100"):
        decode(data, limits=Limits(max_bytes=100))


@pytest.mark.parametrize(("format_", "options"), FORMATS)
def test_image_over_the_pixel_limit_is_rejected(format_: str, options: dict[str, bool]) -> None:
    limit = 107_999 * (4 if format_ == "WEBP" else 1)  # whose decoder takes four times the memory

    with pytest.raises(errors.ImageTooLarge, match="300x360 = 108000 pixels; the limit is 107999"):
        decode(encode(CHEST, format_, **options), limits=Limits(max_pixels=limit))


def test_pixel_limit_holds_before_a_pixel_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(self: Image.Image) -> None:
        raise AssertionError("pixels were decoded")

    data = encode(np.zeros((30_000, 30_000), np.uint8)[:, :1], "PNG")
    monkeypatch.setattr(Image.Image, "load", explode)

    with pytest.raises(errors.ImageTooLarge):
        decode(data, limits=Limits(max_pixels=29_999))


def test_declared_type_that_contradicts_the_bytes_is_mislabelled() -> None:
    with pytest.raises(errors.MislabelledImage, match="declared as image/png but is image/jpeg"):
        decode(encode(CHEST, "JPEG"), media_type="image/png")


@pytest.mark.parametrize(
    "media_type", ["image/jpeg", "IMAGE/JPG; q=1", "application/octet-stream", "text/plain", None]
)
def test_declared_type_that_is_right_or_vague_is_accepted(media_type: str | None) -> None:
    assert decode(encode(CHEST, "JPEG"), media_type=media_type).mode == "L"


def zip_of_text() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "text")
    return file.getvalue()


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
@pytest.mark.parametrize(
    "payload",
    [zip_of_text(), b"%PDF-1.7 x", b"<script>alert(1)</script>", b"<?php x", b"Rar!\x1a\x07"],
    ids=["zip", "pdf", "script", "php", "rar"],
)
def test_image_with_another_file_behind_it_is_a_polyglot(format_: str, payload: bytes) -> None:
    with pytest.raises(errors.PolyglotFile):
        decode(encode(CHEST, format_) + payload)


def test_jpeg_with_markup_in_its_comment_is_a_polyglot() -> None:
    with pytest.raises(errors.PolyglotFile):
        decode(encode(CHEST, "JPEG", comment=b"<html><script>alert(1)</script>"))


@pytest.mark.parametrize("tail", [b"\0" * 100, b"\r\n", b"SEFT phone maker's trailer"])
def test_harmless_bytes_behind_a_jpeg_are_accepted(tail: bytes) -> None:
    assert decode(encode(CHEST, "JPEG") + tail).size == (300, 360)


def test_jpeg_with_a_second_picture_behind_it_is_read_as_its_first() -> None:
    second = np.zeros((50, 50), np.uint8)

    assert decode(encode(CHEST, "JPEG") + encode(second, "JPEG")).size == (300, 360)


@pytest.mark.parametrize("format_", ["TIFF", "PNG", "WEBP"])
def test_several_frames_are_refused(format_: str) -> None:
    frames = [Image.fromarray(CHEST), Image.fromarray(255 - CHEST)]
    file = io.BytesIO()
    frames[0].save(file, format_, save_all=True, append_images=frames[1:])

    with pytest.raises(errors.MultiFrameImage, match="several pictures"):
        decode(file.getvalue())


@pytest.mark.parametrize("cover", [b"", b"\xff\x01", b"\xff\xff\xff\xff"])
def test_jpeg_with_endless_scans_is_refused(cover: bytes) -> None:
    """A marker without a length (TEM) must not hide what stands behind it."""
    data = encode(CHEST, "JPEG", progressive=True)
    start, end = data.rindex(b"\xff\xda"), data.rindex(b"\xff\xd9")

    with pytest.raises(errors.UnreadableImage, match="scans"):
        decode(data[:end] + cover + data[start:end] * 200 + data[end:])


def test_decoder_messages_do_not_leak_library_text() -> None:
    data = bytearray(encode(CHEST, "PNG"))
    data[60:90] = b"\xff" * 30

    with pytest.raises(errors.UnreadableImage) as caught:
        decode(bytes(data))
    assert str(caught.value) in (
        "the PNG image cannot be decoded; it is damaged",
        "the PNG image data ends early; send it whole",
    )


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
    """A TIFF whose EXIF directory holds so many fractions."""
    exif = directory((33434, 5, count, 500)).ljust(100, b"\0")
    return tiff(*STRIP, (34665, kind, 1, 400), data=exif + b"\1\0\0\0" * 2 * count)


def fax(rows: int) -> bytes:
    """A TIFF of one strip of noise, in fax code, of which libtiff complains row by row."""
    noise = np.random.default_rng(5).bytes(400_000)
    size = ((256, 4, 1, 8), (257, 4, 1, rows), (258, 3, 1, 1), (259, 3, 1, 3))
    return tiff(*size, (273, 4, 1, 400), (278, 4, 1, rows), (279, 4, 1, len(noise)), data=noise)


def jpeg_of_scans(side: int) -> bytes:
    """A blank JPEG with as many scans of all of its channels as were allowed once."""
    data = encode(np.zeros((side, side, 3), np.uint8), "JPEG", mode="CMYK", progressive=True)
    first, second = (match.start() for match in list(re.finditer(b"\xff\xda", data))[:2])
    return data[:first] + data[first:second] * 80 + data[first:]


def webp_of_canvas(side: int) -> bytes:
    size = (side - 1).to_bytes(3, "little") * 2
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + size
    body += encode(CHEST, "WEBP", lossless=True)[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def bmp_of_run_lengths(width: int) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, 1, 1, 8, 1, 2, 0, 0, 256, 0)
    body = header + bytes(1024) + b"\0\1"
    return b"BM" + struct.pack("<IHHI", 14 + len(body), 0, 0, 14 + 40 + 1024) + body


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
    "damaged rows of a fax in a TIFF": fax(2_000_000),
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
    "run lengths of a BMP": bmp_of_run_lengths(2**24),
}


def test_small_tiff_of_the_bombs_is_a_picture_without_them() -> None:
    assert decode(tiff(*STRIP)).size == (8, 8)


@pytest.mark.parametrize("name", BOMBS)
def test_metadata_cost_neither_time_nor_memory(name: str) -> None:
    data, started = BOMBS[name], time.monotonic()
    resident = psutil.Process().memory_info().rss
    tracemalloc.start()

    with contextlib.suppress(errors.RejectedImage):
        decode(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert time.monotonic() - started < 1
    assert peak < len(data) + 10 * 2**20
    assert psutil.Process().memory_info().rss - resident < len(data) + 50 * 2**20


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt", "lzma"])
def test_tiff_compressed_unusually_is_refused(compression: str) -> None:
    data = encode(
        CHEST, "TIFF", mode=None if compression == "lzma" else "1", compression=compression
    )

    with pytest.raises(errors.UnreadableImage, match="compressed unusually"):
        decode(data)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_tiff_compressed_as_usual_is_read(compression: str) -> None:
    assert decode(encode(CHEST, "TIFF", compression=compression)).size == (300, 360)


@pytest.mark.parametrize("kind", ["signed", "longer"])
def test_huge_tile_of_a_tiff_is_refused_before_a_decoder_takes_memory_for_it(kind: str) -> None:
    """libtiff reads such numbers, and took half a gigabyte for 1.4 kB."""
    with pytest.raises(errors.UnreadableImage, match="field 322"):
        decode(BOMBS[f"tiles of a TIFF in {kind} numbers"])


def test_tiff_with_a_field_twice_is_refused() -> None:
    """libtiff and Pillow do not take the same of the two."""
    data = tiff(*STRIP, (259, 3, 1, 1), (260, 3, 1, 1))
    twice = data.replace(struct.pack("<H", 260), struct.pack("<H", 259), 1)

    with pytest.raises(errors.UnreadableImage, match="field 259 twice"):
        decode(twice)


@pytest.mark.parametrize("value", [0x7FA00000, 0x7F7FFFFF, 0xFF7FFFFF])
def test_crafted_floats_are_read_without_a_word_in_the_log(value: int) -> None:
    data = bytearray(encode(np.linspace(-3e38, 3e38, 64).reshape(8, 8).astype("f4"), "TIFF"))
    data[-40:] = struct.pack("<I", value) * 10

    with warnings.catch_warnings(record=True) as warned:
        decode(bytes(data))
    assert warned == []


def test_decoder_library_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), pytest.raises(errors.UnreadableImage):
        decode(tiff(*STRIP, (277, 3, 1, 4000)))
    assert caplog.records == []


def test_deep_pixels_cost_little_more_than_their_own_size() -> None:
    side = 2500
    data = encode(np.linspace(0, 1, side * side, dtype=np.float32).reshape(side, side), "TIFF")
    tracemalloc.start()

    decode(data)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * len(data)
