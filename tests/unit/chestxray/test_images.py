"""Decoding: every format and mode is read as the same image."""

import io

import numpy as np
import pytest
from PIL import Image

from chestxray.images import decode, read
from chestxray.windowing import window
from tests.phantoms import encode, phantom

CHEST = phantom(300, 360)
LOSSLESS = [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True}), ("BMP", {})]
FORMATS = [("JPEG", {}), *LOSSLESS, ("TIFF", {"compression": "tiff_lzw"})]


def pixels(data: bytes) -> np.ndarray:
    return read(data).values


@pytest.mark.parametrize(("format_", "options"), LOSSLESS)
def test_lossless_greyscale_image_is_read_unchanged(format_: str, options: dict[str, bool]) -> None:
    assert np.array_equal(pixels(encode(CHEST, format_, **options)), CHEST)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_png_of_every_mode_is_read_as_the_same_image(mode: str) -> None:
    values = CHEST.astype(np.uint16) * 16 if mode == "I;16" else CHEST
    data = encode(values, "PNG", mode=None if mode == "I;16" else mode)

    found = pixels(data).astype(float)

    assert found.shape == CHEST.shape
    assert np.corrcoef(found.ravel(), CHEST.ravel())[0, 1] > (0.5 if mode == "1" else 0.98)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg_of_every_mode_is_read_as_the_same_image(mode: str) -> None:
    found = pixels(encode(CHEST, "JPEG", mode=mode, quality=95)).astype(float)

    assert np.abs(found - CHEST).mean() < 3


def test_alpha_is_dropped_and_not_blended() -> None:
    colour = np.dstack([CHEST, CHEST, CHEST, np.zeros_like(CHEST)])

    assert np.array_equal(pixels(encode(colour, "PNG")), CHEST)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_deep_tiff_is_windowed_to_8_bits(dtype: type) -> None:
    found = np.asarray(decode(encode(CHEST.astype(dtype) * 13, "TIFF")))

    assert found.dtype == np.uint8
    assert found.min() == 0
    assert found.max() == 255
    assert np.corrcoef(found.ravel(), CHEST.ravel())[0, 1] > 0.99


def test_window_clips_outliers_and_keeps_the_order_of_values() -> None:
    values = np.arange(60_000, dtype=np.uint16).reshape(200, 300)
    values[0, 0] = 65535

    found = window(values)

    assert found[0, 0] == 255
    assert np.all(np.diff(found.ravel()[1:].astype(int)) >= 0)
    assert found.ravel()[-1] == 255


@pytest.mark.parametrize("value", [0, 5, 65535])
def test_window_of_a_flat_image_is_flat(value: int) -> None:
    assert np.ptp(window(np.full((8, 8), value, np.uint16))) == 0


def test_window_handles_non_finite_values() -> None:
    values = np.array([[np.nan, np.inf], [0.0, 1.0]], np.float32)

    assert window(values).dtype == np.uint8


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(CHEST, "PNG", exif=exif)

    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))

    assert np.array_equal(np.asarray(decode(data)), window(np.asarray(expected)))


def test_large_jpeg_is_decoded_at_reduced_scale_with_nearly_equal_pixels() -> None:
    from chestxray.preprocessing import prepare

    large = phantom(2400, 2800)
    data = encode(large, "JPEG", quality=95)

    reduced = Image.fromarray(read(data).values)
    full = Image.open(io.BytesIO(data)).convert("L")

    assert max(reduced.size) < max(full.size) / 2
    assert min(reduced.size) >= 448
    difference = prepare(reduced).astype(int) - prepare(full)
    assert np.abs(difference).mean() < 1.0
