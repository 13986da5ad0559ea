"""Decoding: every kind of invalid file raises its own error."""

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from chestxray import errors
from chestxray.images import decode, read
from chestxray.limits import Limits
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
@settings(max_examples=40)
@given(missing=st.one_of(st.integers(1, 30), st.integers(1, 10**6)))
def test_image_truncated_at_any_byte_is_rejected(
    format_: str, options: dict[str, bool], missing: int
) -> None:
    data = encode(CHEST, format_, **options)
    cut = data[: max(0, len(data) - missing)]

    with pytest.raises(errors.RejectedImage):
        decode(cut)


@settings(max_examples=150)
@given(
    index=st.integers(0, len(FORMATS) - 1),
    places=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=20),
)
def test_damaged_image_is_decoded_or_rejected(index: int, places: list[tuple[float, int]]) -> None:
    format_, options = FORMATS[index]
    data = bytearray(encode(CHEST[:64, :64], format_, **options))
    for share, value in places:
        data[min(int(share * len(data)), len(data) - 1)] = value

    try:
        found = decode(bytes(data), limits=Limits(max_pixels=10**6))
    except errors.RejectedImage:
        return
    assert found.mode == "L"


@settings(max_examples=100)
@given(st.binary(max_size=2000))
def test_random_bytes_are_rejected(data: bytes) -> None:
    with pytest.raises(errors.RejectedImage):
        decode(data)


def test_empty_file_raises_its_own_error() -> None:
    with pytest.raises(errors.EmptyImage):
        decode(b"")


def test_unknown_bytes_are_rejected_as_an_unsupported_format() -> None:
    with pytest.raises(errors.UnsupportedFormat, match="JPEG, PNG, TIFF, WEBP, BMP"):
        decode(b"\x01\x99" * 50)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_blank_image_raises_its_own_error(kind: type) -> None:
    with pytest.raises(errors.BlankImage, match="every pixel has the same value, 7"):
        decode(encode(np.full((64, 64), 7, kind), "TIFF"))


def test_image_of_nan_values_is_rejected_as_blank() -> None:
    with pytest.raises(errors.BlankImage, match="NaN"):
        decode(encode(np.full((64, 64), np.nan, np.float32), "TIFF"))


def test_image_over_the_byte_limit_is_rejected() -> None:
    data = encode(CHEST, "PNG")

    with pytest.raises(errors.ImageTooLarge, match=f"{len(data)} bytes; the limit is 100"):
        decode(data, limits=Limits(max_bytes=100))


@pytest.mark.parametrize(("format_", "options"), FORMATS)
def test_image_over_the_pixel_limit_is_rejected(format_: str, options: dict[str, bool]) -> None:
    limit = 143_999 if format_ == "WEBP" else 107_999  # whose decoder takes more memory

    with pytest.raises(errors.ImageTooLarge, match="300x360 = 108000 pixels; the limit is 107999"):
        decode(encode(CHEST, format_, **options), limits=Limits(max_pixels=limit))


def test_pixel_limit_is_checked_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Image.Image) -> None:
        raise AssertionError("pixels were decoded")

    data = encode(np.zeros((30_000, 30_000), np.uint8)[:, :1], "PNG")
    monkeypatch.setattr(Image.Image, "load", fail)

    with pytest.raises(errors.ImageTooLarge):
        decode(data, limits=Limits(max_pixels=29_999))


@pytest.mark.parametrize("declared", ["image/png", "image/svg+xml", "image/tiff; x=y"])
def test_format_is_detected_from_the_bytes_and_not_the_declared_type(declared: str) -> None:
    found = read(encode(CHEST, "JPEG"), media_type=declared).input

    assert (found.format, found.media_type, found.mislabelled) == ("JPEG", "image/jpeg", True)


@pytest.mark.parametrize(
    "media_type", ["image/jpeg", "IMAGE/JPG; q=1", "application/octet-stream", "text/plain", None]
)
def test_correct_or_generic_media_type_is_not_mislabelled(media_type: str | None) -> None:
    assert not read(encode(CHEST, "JPEG"), media_type=media_type).input.mislabelled


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
def test_image_followed_by_another_file_is_rejected_as_a_polyglot(
    format_: str, payload: bytes
) -> None:
    with pytest.raises(errors.PolyglotFile):
        decode(encode(CHEST, format_) + payload)


def test_jpeg_with_markup_in_its_comment_is_rejected_as_a_polyglot() -> None:
    with pytest.raises(errors.PolyglotFile):
        decode(encode(CHEST, "JPEG", comment=b"<html><script>alert(1)</script>"))


@pytest.mark.parametrize("tail", [b"\0" * 100, b"\r\n", b"SEFT phone maker's trailer"])
def test_harmless_bytes_after_a_jpeg_are_accepted(tail: bytes) -> None:
    assert decode(encode(CHEST, "JPEG") + tail).size == (300, 360)


def test_jpeg_followed_by_a_second_jpeg_is_read_as_the_first() -> None:
    second = np.zeros((50, 50), np.uint8)

    assert decode(encode(CHEST, "JPEG") + encode(second, "JPEG")).size == (300, 360)


@pytest.mark.parametrize("format_", ["TIFF", "PNG", "WEBP"])
def test_image_with_several_frames_is_rejected(format_: str) -> None:
    frames = [Image.fromarray(CHEST), Image.fromarray(255 - CHEST)]
    file = io.BytesIO()
    frames[0].save(file, format_, save_all=True, append_images=frames[1:])

    with pytest.raises(errors.MultiFrameImage, match="several pictures"):
        decode(file.getvalue())


@pytest.mark.parametrize("cover", [b"", b"\xff\x01", b"\xff\xff\xff\xff"])
def test_jpeg_with_too_many_scans_is_rejected(cover: bytes) -> None:
    """A marker without a length (TEM) must not hide the scans after it."""
    data = encode(CHEST, "JPEG", progressive=True)
    start, end = data.rindex(b"\xff\xda"), data.rindex(b"\xff\xd9")

    with pytest.raises(errors.UnreadableImage, match="scans"):
        decode(data[:end] + cover + data[start:end] * 200 + data[end:])


def test_decoder_error_contains_no_library_text() -> None:
    data = bytearray(encode(CHEST, "PNG"))
    data[60:90] = b"\xff" * 30

    with pytest.raises(errors.UnreadableImage) as caught:
        decode(bytes(data))
    assert str(caught.value) in (
        "the PNG image cannot be decoded; it is damaged",
        "the PNG image data ends early; send it whole",
    )
