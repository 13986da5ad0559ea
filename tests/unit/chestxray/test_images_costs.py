"""Decoding crafted files takes little time and memory and logs nothing."""

import contextlib
import logging
import struct
import tracemalloc
import warnings
import zlib

import numpy as np
import psutil
import pytest

from chestxray import errors
from chestxray.images import decode
from tests.cpu_time import least_cpu_seconds
from tests.crafted import BOMBS, CHEST, PNG, STRIP, chunk, tiff
from tests.phantoms import encode


def test_base_tiff_of_the_bombs_is_itself_readable() -> None:
    with pytest.raises(errors.BlankImage):
        decode(tiff(*STRIP))


@pytest.mark.parametrize("name", BOMBS)
def test_decoding_a_bomb_takes_little_time(name: str) -> None:
    def attempt() -> None:
        with contextlib.suppress(errors.RejectedImage):
            decode(BOMBS[name])

    assert least_cpu_seconds(attempt) < 1


@pytest.mark.parametrize("name", BOMBS)
def test_decoding_a_bomb_takes_little_memory(name: str) -> None:
    data = BOMBS[name]
    resident = psutil.Process().memory_info().rss
    tracemalloc.start()

    with contextlib.suppress(errors.RejectedImage):
        decode(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < len(data) + 10 * 2**20
    assert psutil.Process().memory_info().rss - resident < len(data) + 50 * 2**20


@pytest.mark.parametrize("kind", [np.uint16, np.float32, np.int32])
@pytest.mark.parametrize("size", [(2**15, 128), (128, 2**15)])
def test_memory_of_a_narrow_deep_image_is_little_more_than_its_size(
    kind: type, size: tuple[int, int]
) -> None:
    """Found by fuzzing: every pixel was sampled in 64 bits."""
    data = encode(np.arange(2**22, dtype=kind).reshape(size), "TIFF")
    tracemalloc.start()

    decode(data)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.1 * len(data)


def test_png_with_two_headers_is_rejected() -> None:
    """Found by fuzzing: Pillow returned an image of mode L that was P and could not be resized."""
    first, second = (struct.pack(">IIBBBBB", 16, 16, *kind, 0, 0, 0) for kind in ((2, 3), (4, 0)))
    pixels = chunk(b"IDAT", zlib.compress(bytes(16 * 9))) + chunk(b"IEND")
    headers = chunk(b"IHDR", first) + chunk(b"PLTE", bytes(768)) + chunk(b"IHDR", second)

    with pytest.raises(errors.UnreadableImage, match="one twice"):
        decode(PNG[:8] + headers + pixels)


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt", "lzma"])
def test_rejection_of_a_tiff_names_its_unsupported_compression(compression: str) -> None:
    data = encode(
        CHEST, "TIFF", mode=None if compression == "lzma" else "1", compression=compression
    )

    with pytest.raises(
        errors.UnsupportedVariant, match=r"compressed with (fax|LZMA) is not supported"
    ):
        decode(data)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_tiff_with_a_common_compression_is_read(compression: str) -> None:
    assert decode(encode(CHEST, "TIFF", compression=compression)).size == (300, 360)


@pytest.mark.parametrize("kind", ["signed", "longer"])
def test_tiff_with_a_huge_tile_is_rejected_before_memory_is_allocated(kind: str) -> None:
    """libtiff accepts such numbers, and allocated half a gigabyte for a file of 1.4 kB."""
    with pytest.raises(errors.UnreadableImage, match="field 322"):
        decode(BOMBS[f"tiles of a TIFF in {kind} numbers"])


def test_tiff_with_a_duplicate_field_is_rejected() -> None:
    """libtiff and Pillow use different ones of the two values."""
    data = tiff(*STRIP, (259, 3, 1, 1), (260, 3, 1, 1))
    twice = data.replace(struct.pack("<H", 260), struct.pack("<H", 259), 1)

    with pytest.raises(errors.UnreadableImage, match="field 259 twice"):
        decode(twice)


@pytest.mark.parametrize("value", [0x7FA00000, 0x7F7FFFFF, 0xFF7FFFFF])
def test_crafted_floats_are_read_without_warnings(value: int) -> None:
    data = bytearray(encode(np.linspace(-3e38, 3e38, 64).reshape(8, 8).astype("f4"), "TIFF"))
    data[-40:] = struct.pack("<I", value) * 10

    with warnings.catch_warnings(record=True) as warned:
        decode(bytes(data))
    assert warned == []


def test_decoder_library_writes_no_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), pytest.raises(errors.RejectedImage):
        decode(tiff(*STRIP, (277, 3, 1, 4000)))
    assert caplog.records == []


def test_memory_of_a_deep_image_is_little_more_than_its_size() -> None:
    side = 2500
    data = encode(np.linspace(0, 1, side * side, dtype=np.float32).reshape(side, side), "TIFF")
    tracemalloc.start()

    decode(data)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * len(data)
