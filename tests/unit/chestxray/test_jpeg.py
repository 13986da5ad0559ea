"""JPEG: supported variants are read, and rejections name the unsupported ones."""

import re

import numpy as np
import pytest
from PIL import Image

from chestxray import errors
from chestxray.images import decode, read
from tests.phantoms import encode, phantom

CHEST = phantom(121, 90)
JPEG = encode(CHEST, "JPEG", quality=98)


def jpeg_of_kind(kind: int, *, bits: int = 8) -> bytes:
    """The JPEG with the frame header of another JPEG variant."""
    frame = re.search(rb"\xff\xc0\0\x0b\x08", JPEG)
    assert frame
    header = bytes([0xFF, kind, 0, 11, bits])
    return JPEG[: frame.start()] + header + JPEG[frame.end() :]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (jpeg_of_kind(0xC3), "lossless JPEG"),
        (jpeg_of_kind(0xC3, bits=16), "lossless JPEG"),
        (jpeg_of_kind(0xC5), "hierarchical JPEG"),
        (jpeg_of_kind(0xC9), "arithmetic-coded JPEG"),
        (jpeg_of_kind(0xCB), "lossless JPEG"),
        (jpeg_of_kind(0xC1, bits=12), "12-bit JPEG"),
        (jpeg_of_kind(0xC2, bits=12), "12-bit JPEG"),
        (jpeg_of_kind(0xF7), "JPEG-LS"),
        (b"\xff\xd8\xff\xf7\0\x0b\x08\0\x5a\0\x79\1\1\x11\0", "JPEG-LS"),
    ],
)
def test_rejection_of_an_unsupported_jpeg_names_the_variant(data: bytes, found: str) -> None:
    with pytest.raises(errors.UnsupportedVariant, match=f"the file is {found}, .*; save") as caught:
        read(data)
    assert caught.value.found == found


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"keep_rgb": True}])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "YCbCr"])
def test_jpeg_of_every_colour_space_is_read_as_the_same_grey(
    mode: str, options: dict[str, bool]
) -> None:
    options = options if mode == "RGB" or "keep_rgb" not in options else {}

    found = read(encode(CHEST, "JPEG", mode=mode, quality=98, **options))

    assert np.abs(found.values.astype(int) - CHEST).mean() < 2
    assert (found.input.bits, found.input.colour) == (8, mode != "L")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_read_from_exif_and_not_from_xmp(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="3"/>'

    assert read(encode(CHEST, "JPEG", exif=exif, xmp=xmp)).orientation == orientation
    assert read(encode(CHEST, "JPEG", xmp=xmp)).orientation == 1


def test_input_size_is_the_stored_one_although_decoding_is_reduced() -> None:
    large = phantom(2000, 1600)

    found = read(encode(large, "JPEG"))

    assert (found.input.width, found.input.height) == (2000, 1600)
    assert max(found.values.shape) < 1100
    assert decode(encode(large, "JPEG")).size == found.values.shape[::-1]
