"""Decoding: every format and mode, every limit, every kind of bad file."""

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from chestxray import errors
from chestxray.images import Limits, decode, window
from tests.phantoms import encode, phantom

CHEST = phantom(300, 360)
LOSSLESS = [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True}), ("BMP", {})]
FORMATS = [("JPEG", {}), *LOSSLESS, ("TIFF", {"compression": "tiff_lzw"})]


def pixels(data: bytes, **options: object) -> np.ndarray:
    return np.asarray(decode(data, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize(("format_", "options"), LOSSLESS)
def test_lossless_greyscale_comes_back_unchanged(format_: str, options: dict[str, bool]) -> None:
    assert np.array_equal(pixels(encode(CHEST, format_, **options)), CHEST)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_png_of_every_mode_is_read_as_the_same_picture(mode: str) -> None:
    values = CHEST.astype(np.uint16) * 16 if mode == "I;16" else CHEST
    data = encode(values, "PNG", mode=None if mode == "I;16" else mode)

    found = pixels(data).astype(float)

    assert found.shape == CHEST.shape
    assert np.corrcoef(found.ravel(), CHEST.ravel())[0, 1] > (0.5 if mode == "1" else 0.98)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg_of_every_mode_is_read_as_the_same_picture(mode: str) -> None:
    found = pixels(encode(CHEST, "JPEG", mode=mode, quality=95)).astype(float)

    assert np.abs(found - CHEST).mean() < 3


def test_alpha_is_dropped_and_not_blended() -> None:
    colour = np.dstack([CHEST, CHEST, CHEST, np.zeros_like(CHEST)])

    assert np.array_equal(pixels(encode(colour, "PNG")), CHEST)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_deep_tiff_is_windowed_to_8_bits(dtype: type) -> None:
    found = pixels(encode(CHEST.astype(dtype) * 13, "TIFF"))

    assert found.dtype == np.uint8
    assert found.min() == 0
    assert found.max() == 255
    assert np.corrcoef(found.ravel(), CHEST.ravel())[0, 1] > 0.99


def test_window_clips_the_extreme_permille_and_keeps_order() -> None:
    values = np.arange(60_000, dtype=np.uint16).reshape(200, 300)
    values[0, 0] = 65535

    found = window(values)

    assert found[0, 0] == 255
    assert np.all(np.diff(found.ravel()[1:].astype(int)) >= 0)
    assert found.ravel()[-1] == 255


@pytest.mark.parametrize("value", [0, 5, 65535])
def test_window_of_a_flat_image_is_flat(value: int) -> None:
    assert np.ptp(window(np.full((8, 8), value, np.uint16))) == 0


def test_window_survives_values_that_are_not_finite() -> None:
    values = np.array([[np.nan, np.inf], [0.0, 1.0]], np.float32)

    assert window(values).dtype == np.uint8


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(CHEST, "PNG", exif=exif)

    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))

    assert np.array_equal(pixels(data), np.asarray(expected))


def test_large_jpeg_is_decoded_at_reduced_scale_to_nearly_the_same_square() -> None:
    from chestxray.preprocessing import prepare

    large = phantom(2400, 2800)
    data = encode(large, "JPEG", quality=95)

    reduced = decode(data)
    full = Image.open(io.BytesIO(data)).convert("L")

    assert max(reduced.size) < max(full.size) / 2
    assert min(reduced.size) >= 448
    difference = prepare(reduced).astype(int) - prepare(full)
    assert np.abs(difference).mean() < 1.0


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
    with pytest.raises(errors.ImageTooLarge, match="300x360 = 108000 pixels; the limit is 107999"):
        decode(encode(CHEST, format_, **options), limits=Limits(max_pixels=107_999))


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
def test_image_with_an_archive_behind_it_is_a_polyglot(format_: str) -> None:
    with pytest.raises(errors.PolyglotFile):
        decode(encode(CHEST, format_) + zip_of_text())


@pytest.mark.parametrize(
    "payload", [b"%PDF-1.7 x", b"<script>alert(1)</script>", b"<?php x", b"GIF89a", b"\x7fELF"]
)
def test_image_with_another_file_behind_it_is_a_polyglot(payload: bytes) -> None:
    with pytest.raises(errors.PolyglotFile):
        decode(encode(CHEST, "PNG") + payload)


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

    with pytest.raises(errors.MultiFrameImage, match="2 pictures"):
        decode(file.getvalue())


def test_jpeg_with_endless_scans_is_refused() -> None:
    data = encode(CHEST, "JPEG", progressive=True)
    end = data.rindex(b"\xff\xd9")
    start = data.rindex(b"\xff\xda")

    with pytest.raises(errors.UnreadableImage, match="scans"):
        decode(data[:end] + data[start:end] * 200 + data[end:])


def test_decoder_messages_do_not_leak_library_text() -> None:
    data = bytearray(encode(CHEST, "PNG"))
    data[60:90] = b"\xff" * 30

    with pytest.raises(errors.UnreadableImage) as caught:
        decode(bytes(data))
    assert str(caught.value) in (
        "the PNG image cannot be decoded; it is damaged",
        "the PNG image data ends early; send it whole",
    )
