"""TIFF: every depth, type, byte order and layout is read exactly, or rejected by name."""

import io
import itertools
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from chestxray import errors, readers
from chestxray.images import read
from tests.phantoms import encode, phantom
from tests.tiffs import DEFLATE, FLOAT, LZW, NONE, PACKBITS, file_of, tiff

CHEST = phantom(101, 67)
GRAIN = np.random.default_rng(1)
TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]
LAYOUTS: dict[str, dict[str, Any]] = {
    "black is zero": {"photometric": "minisblack"},
    "white is zero": {"photometric": "miniswhite"},
    "RGB": {"photometric": "rgb"},
    "RGB in planes": {"photometric": "rgb", "planarconfig": "separate"},
    "RGB and alpha": {"photometric": "rgb", "extrasamples": ["unassalpha"]},
    "grey and alpha": {
        "photometric": "minisblack",
        "extrasamples": ["unassalpha"],
        "planarconfig": "contig",
    },
}


def values_of(kind: str) -> np.ndarray:
    """A radiograph over the whole value range of a type."""
    dtype = np.dtype(kind)
    fine = CHEST / 255 + GRAIN.random(CHEST.shape) / 300
    if dtype.kind == "f":
        return fine.astype(dtype)
    low, high = float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    return (low + fine * 0.98 * (high - low)).astype(dtype)


def as_read(values: np.ndarray) -> np.ndarray:
    """The values in the type that they are read as."""
    match values.dtype.kind, values.dtype.itemsize:
        case "i", 1:
            return (values.astype(int) + 128).astype(np.uint8)
        case "f", 2:
            return values.astype(np.float32)
        case "i" | "u", 8:
            return values.astype(np.float64)
        case _:
            return values


def inverted(values: np.ndarray) -> np.ndarray:
    """The values as they are stored when white is zero."""
    if values.dtype.kind == "f":
        return (values.min() + values.max() - values).astype(values.dtype)
    return ~values


def tiff_with_tifffile(values: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, values, metadata=None, **options)
    return file.getvalue()


def assert_read_as(
    data: bytes, expected: np.ndarray, *, precision: float = 1e-6, shifted: bool = False
) -> None:
    """Asserts that the values are read, up to a constant if they are shifted."""
    found = read(data).values
    assert found.dtype == expected.dtype
    if shifted:
        found, expected = (values - values.min() for values in (found, expected))
    if expected.dtype.kind == "f":
        assert np.allclose(found, expected, rtol=1e-6, atol=precision * np.ptp(expected))
    else:
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", TYPES)
def test_tiff_of_every_type_and_layout_is_read_exactly(kind: str, layout: str) -> None:
    values = values_of(kind)
    stored = inverted(values) if layout == "white is zero" else values
    alpha = np.zeros_like(values)
    channels = {
        "RGB": [stored] * 3,
        "RGB in planes": [stored] * 3,
        "RGB and alpha": [stored] * 3 + [alpha],
        "grey and alpha": [stored, alpha],
    }.get(layout)
    pixels = stored if channels is None else np.stack(channels, 0 if "planes" in layout else 2)

    for order, compression, tile in itertools.product("<>", (None, "zlib"), (None, (32, 48))):
        options = {"byteorder": order, "compression": compression, "tile": tile}
        # Turning a half float before it is stored rounds it.
        precision = 1e-3 if kind == "f2" else 1e-6
        data = tiff_with_tifffile(pixels, **options, **LAYOUTS[layout])
        wide = layout == "white is zero" and kind not in ("u1", "i1", "u2", "i2")
        assert_read_as(data, as_read(values), precision=precision, shifted=wide)


@pytest.mark.parametrize("kind", ["u1", "u2", "i2", "u4", "i4"])
@pytest.mark.parametrize("order", "<>")
def test_horizontal_predictor_is_reversed_within_each_tile(kind: str, order: str) -> None:
    values = values_of(kind)

    for tile in (None, (32, 48)):
        options = {"byteorder": order, "predictor": 2, "tile": tile}
        assert_read_as(tiff_with_tifffile(values, compression="zlib", **options), values)
        colours = np.stack([values] * 3, 2)
        assert_read_as(
            tiff_with_tifffile(colours, photometric="rgb", compression="zlib", **options), values
        )


@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
@pytest.mark.parametrize("compression", [LZW, DEFLATE])
def test_floating_point_predictor_is_reversed(kind: str, compression: int) -> None:
    values = values_of(kind)
    bits, how = 8 * values.itemsize, {"sample_format": FLOAT, "compression": compression}

    assert_read_as(tiff(values[..., None], bits=bits, predictor=3, **how), as_read(values))
    colours = np.stack([values] * 3, 2)
    assert_read_as(tiff(colours, bits=bits, predictor=3, photometric=2, **how), as_read(values))


@pytest.mark.parametrize("compression", [NONE, LZW, DEFLATE, PACKBITS])
@pytest.mark.parametrize("kind", ["u2", "i2", "f4", "f8"])
def test_every_type_is_read_with_every_compression(compression: int, kind: str) -> None:
    values = values_of(kind)
    how = {"sample_format": "uif".index(kind[0]) + 1, "compression": compression}

    for order in "<>":
        grey = tiff(values[..., None], bits=8 * values.itemsize, order=order, **how)
        assert_read_as(grey, values)
        colours = np.stack([values] * 3, 2)
        assert_read_as(
            tiff(colours, bits=8 * values.itemsize, photometric=2, order=order, **how), values
        )


@pytest.mark.parametrize("bits", [*range(1, 16), 24])
@pytest.mark.parametrize("photometric", [0, 1])
def test_packed_samples_are_unpacked(bits: int, photometric: int) -> None:
    white = 2**bits - 1
    values = (CHEST / CHEST.max() * white).astype(np.uint32)
    stored = white - values if photometric == 0 else values
    if bits < 8:
        expected = np.rint(values * (255 / white)).astype(np.uint8)
    else:
        dtype = np.uint8 if bits == 8 else np.uint16 if bits <= 16 else np.uint32
        expected = values.astype(dtype)
    stored = stored.astype(np.uint8) if bits == 8 else stored

    for compression in (NONE, LZW):
        for order in "<>":
            how = {"photometric": photometric, "compression": compression, "order": order}
            assert_read_as(tiff(stored[..., None], bits=bits, **how), expected)


@pytest.mark.parametrize("compression", [NONE, LZW, PACKBITS])
def test_reversed_fill_order_is_read(compression: int) -> None:
    values = values_of("u2")

    assert_read_as(tiff(values[..., None], bits=16, reverse=True, compression=compression), values)


def test_colours_are_converted_to_grey_at_full_depth() -> None:
    red, green, blue = values_of("u2"), values_of("u2")[::-1], values_of("u2")[:, ::-1]
    luma = 0.299 * red + 0.587 * green + 0.114 * blue

    found = read(tiff_with_tifffile(np.stack([red, green, blue], 2), photometric="rgb")).values

    assert found.dtype == np.uint16
    assert np.abs(found - luma).max() <= 2


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("full", [255, 65535])
def test_palette_of_16_bit_or_8_bit_values_is_read(full: int, compression: str | None) -> None:
    greys = (255 - np.arange(256)) * (full // 255)
    colours = np.stack([greys.astype(np.uint16)] * 3)

    for tile in (None, (32, 48)):
        options = {"colormap": colours, "compression": compression, "tile": tile}
        assert_read_as(tiff_with_tifffile(255 - CHEST, photometric="palette", **options), CHEST)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_palette_of_few_bits_is_read(bits: int) -> None:
    indices = (CHEST.astype(int) * 2**bits // 256).astype(np.uint8)
    greys = np.arange(2**bits) * 10 + 5
    more = [(320, "H", tuple((greys * 257).tolist()) * 3)]

    assert_read_as(
        tiff(indices[..., None], bits=bits, photometric=3, more=more), greys[indices].astype("u1")
    )


@pytest.mark.parametrize("samples", [3, 4])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_8_bit_colours_are_weighted_like_in_pillow(samples: int, planar: str) -> None:
    colours = GRAIN.integers(0, 256, (67, 101, samples), np.uint8)
    expected = np.asarray(Image.fromarray(colours).convert("L"))
    stored = colours if planar == "contig" else colours.transpose(2, 0, 1)
    alpha = {"extrasamples": ["unassalpha"]} if samples == 4 else {}

    assert_read_as(
        tiff_with_tifffile(stored, photometric="rgb", planarconfig=planar, **alpha), expected
    )


def test_jpeg_compressed_tiff_with_white_as_zero_is_inverted() -> None:
    data = encode(CHEST, "TIFF", compression="jpeg", tiffinfo={262: 0})  # stored turned

    assert np.abs(read(data).values.astype(int) - CHEST).mean() < 6


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_non_finite_values_do_not_affect_the_others(value: float, photometric: str) -> None:
    values = values_of("f4")
    values[:5] = value

    found = read(tiff_with_tifffile(values, photometric=photometric)).values

    sign = 1 if photometric == "minisblack" else -1
    assert np.corrcoef(found[5:].ravel(), sign * values[5:].ravel())[0, 1] > 0.999


def test_large_deep_image_is_reduced_by_block_means(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(readers, "_MAX_WHOLE_PIXELS", 2**20)
    values = np.arange(1500 * 1400, dtype=np.float64).reshape(1500, 1400)

    found = read(tiff_with_tifffile(values, compression="zlib", rowsperstrip=7)).values

    assert found.shape == (500, 466)
    assert np.allclose(found, values[:, :1398].reshape(500, 3, 466, 3).mean((1, 3)))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_orientation_tag_is_read(orientation: int, kind: str) -> None:
    data = tiff_with_tifffile(values_of(kind), extratags=[(274, 3, 1, orientation, True)])

    assert read(data).orientation == orientation


def test_input_description_states_the_stored_samples() -> None:
    found = read(tiff_with_tifffile(np.stack([values_of("u2")] * 3, 2), photometric="rgb")).input

    assert (found.format, found.width, found.height) == ("TIFF", 101, 67)
    assert (found.bits, found.colour) == (16, True)


PLAIN = {
    256: ("I", (101,)),
    257: ("I", (67,)),
    258: ("H", (16,)),
    262: ("H", (1,)),
    273: ("I", (8,)),
}


def test_uncompressed_strip_without_byte_counts_is_read() -> None:
    values = values_of("u2")

    assert_read_as(file_of(values.tobytes(), PLAIN), values)


@pytest.mark.parametrize("cut", [1, 100, 5000])
def test_tiff_with_missing_pixels_is_truncated(cut: int) -> None:
    head = file_of(b"", PLAIN | {273: ("I", (500,))}).ljust(500, b"\0")
    data = head + values_of("u2").tobytes()

    with pytest.raises(errors.TruncatedImage):
        read(data[:-cut])


def test_tiles_much_larger_than_the_image_are_rejected() -> None:
    fields = {322: ("I", (4096,)), 323: ("I", (4000,)), 324: ("I", (8,)), 325: ("I", (9,))}
    base = {256: ("I", (16,)), 257: ("I", (16,)), 258: ("H", (8,)), 262: ("H", (1,))}

    with pytest.raises(errors.ImageTooCostly):
        read(file_of(bytes(16), base | fields | {259: ("H", (8,))}))
