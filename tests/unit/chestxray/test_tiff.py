"""TIFF: every depth, type, order and layout is read to the value, or refused by its name."""

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
    """A chest over the whole range of a type, upper half included."""
    dtype = np.dtype(kind)
    fine = CHEST / 255 + GRAIN.random(CHEST.shape) / 300
    if dtype.kind == "f":
        return fine.astype(dtype)
    low, high = float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    return (low + fine * 0.98 * (high - low)).astype(dtype)


def shown(values: np.ndarray) -> np.ndarray:
    """The same in the type that it is read as."""
    match values.dtype.kind, values.dtype.itemsize:
        case "i", 1:
            return (values.astype(int) + 128).astype(np.uint8)
        case "f", 2:
            return values.astype(np.float32)
        case "i" | "u", 8:
            return values.astype(np.float64)
        case _:
            return values


def turned(values: np.ndarray) -> np.ndarray:
    """What is stored where white is zero."""
    if values.dtype.kind == "f":
        return (values.min() + values.max() - values).astype(values.dtype)
    return ~values


def written(values: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, values, metadata=None, **options)
    return file.getvalue()


def check(
    data: bytes, expected: np.ndarray, *, precision: float = 1e-6, shifted: bool = False
) -> None:
    """Whether the values are read; where they are shifted, but for a constant."""
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
def test_tiff_of_every_type_and_layout_is_read_to_the_value(kind: str, layout: str) -> None:
    values = values_of(kind)
    stored = turned(values) if layout == "white is zero" else values
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
        data = written(pixels, **options, **LAYOUTS[layout])
        wide = layout == "white is zero" and kind not in ("u1", "i1", "u2", "i2")
        check(data, shown(values), precision=precision, shifted=wide)


@pytest.mark.parametrize("kind", ["u1", "u2", "i2", "u4", "i4"])
@pytest.mark.parametrize("order", "<>")
def test_horizontal_predictor_is_undone_within_each_tile(kind: str, order: str) -> None:
    values = values_of(kind)

    for tile in (None, (32, 48)):
        options = {"byteorder": order, "predictor": 2, "tile": tile}
        check(written(values, compression="zlib", **options), values)
        colours = np.stack([values] * 3, 2)
        check(written(colours, photometric="rgb", compression="zlib", **options), values)


@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
@pytest.mark.parametrize("compression", [LZW, DEFLATE])
def test_floating_point_predictor_is_undone(kind: str, compression: int) -> None:
    values = values_of(kind)
    bits, how = 8 * values.itemsize, {"sample_format": FLOAT, "compression": compression}

    check(tiff(values[..., None], bits=bits, predictor=3, **how), shown(values))
    colours = np.stack([values] * 3, 2)
    check(tiff(colours, bits=bits, predictor=3, photometric=2, **how), shown(values))


@pytest.mark.parametrize("compression", [NONE, LZW, DEFLATE, PACKBITS])
@pytest.mark.parametrize("kind", ["u2", "i2", "f4", "f8"])
def test_every_compression_carries_every_type(compression: int, kind: str) -> None:
    values = values_of(kind)
    how = {"sample_format": "uif".index(kind[0]) + 1, "compression": compression}

    for order in "<>":
        grey = tiff(values[..., None], bits=8 * values.itemsize, order=order, **how)
        check(grey, values)
        colours = np.stack([values] * 3, 2)
        check(tiff(colours, bits=8 * values.itemsize, photometric=2, order=order, **how), values)


@pytest.mark.parametrize("bits", [*range(1, 16), 24])
@pytest.mark.parametrize("photometric", [0, 1])
def test_packed_bits_are_unpacked(bits: int, photometric: int) -> None:
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
            check(tiff(stored[..., None], bits=bits, **how), expected)


@pytest.mark.parametrize("compression", [NONE, LZW, PACKBITS])
def test_bytes_that_are_filled_from_the_other_end_are_turned(compression: int) -> None:
    values = values_of("u2")

    check(tiff(values[..., None], bits=16, reverse=True, compression=compression), values)


def test_colours_become_grey_in_their_own_depth() -> None:
    red, green, blue = values_of("u2"), values_of("u2")[::-1], values_of("u2")[:, ::-1]
    luma = 0.299 * red + 0.587 * green + 0.114 * blue

    found = read(written(np.stack([red, green, blue], 2), photometric="rgb")).values

    assert found.dtype == np.uint16
    assert np.abs(found - luma).max() <= 2


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("full", [255, 65535])
def test_palette_is_of_16_bits_or_of_8_by_some_writers(full: int, compression: str | None) -> None:
    greys = (255 - np.arange(256)) * (full // 255)
    colours = np.stack([greys.astype(np.uint16)] * 3)

    for tile in (None, (32, 48)):
        options = {"colormap": colours, "compression": compression, "tile": tile}
        check(written(255 - CHEST, photometric="palette", **options), CHEST)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_palette_of_few_bits_is_read(bits: int) -> None:
    indices = (CHEST.astype(int) * 2**bits // 256).astype(np.uint8)
    greys = np.arange(2**bits) * 10 + 5
    more = [(320, "H", tuple((greys * 257).tolist()) * 3)]

    check(
        tiff(indices[..., None], bits=bits, photometric=3, more=more), greys[indices].astype("u1")
    )


@pytest.mark.parametrize("samples", [3, 4])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_colours_of_8_bits_are_weighted_as_pillow_does(samples: int, planar: str) -> None:
    colours = GRAIN.integers(0, 256, (67, 101, samples), np.uint8)
    expected = np.asarray(Image.fromarray(colours).convert("L"))
    stored = colours if planar == "contig" else colours.transpose(2, 0, 1)
    alpha = {"extrasamples": ["unassalpha"]} if samples == 4 else {}

    check(written(stored, photometric="rgb", planarconfig=planar, **alpha), expected)


def test_white_is_zero_of_8_bits_with_jpeg_is_turned() -> None:
    data = encode(CHEST, "TIFF", compression="jpeg", tiffinfo={262: 0})  # stored turned

    assert np.abs(read(data).values.astype(int) - CHEST).mean() < 6


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_numbers_that_are_none_do_not_spoil_the_others(value: float, photometric: str) -> None:
    values = values_of("f4")
    values[:5] = value

    found = read(written(values, photometric=photometric)).values

    sign = 1 if photometric == "minisblack" else -1
    assert np.corrcoef(found[5:].ravel(), sign * values[5:].ravel())[0, 1] > 0.999


def test_deep_values_of_a_large_picture_are_means_of_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(readers, "_MAX_WHOLE_PIXELS", 2**20)
    values = np.arange(1500 * 1400, dtype=np.float64).reshape(1500, 1400)

    found = read(written(values, compression="zlib", rowsperstrip=7)).values

    assert found.shape == (500, 466)
    assert np.allclose(found, values[:, :1398].reshape(500, 3, 466, 3).mean((1, 3)))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_orientation_is_known(orientation: int, kind: str) -> None:
    data = written(values_of(kind), extratags=[(274, 3, 1, orientation, True)])

    assert read(data).orientation == orientation


def test_samples_are_described_as_stored() -> None:
    found = read(written(np.stack([values_of("u2")] * 3, 2), photometric="rgb")).input

    assert (found.format, found.width, found.height) == ("TIFF", 101, 67)
    assert (found.bits, found.colour) == (16, True)


PLAIN = {
    256: ("I", (101,)),
    257: ("I", (67,)),
    258: ("H", (16,)),
    262: ("H", (1,)),
    273: ("I", (8,)),
}


def test_uncompressed_strips_need_no_sizes() -> None:
    values = values_of("u2")

    check(file_of(values.tobytes(), PLAIN), values)


@pytest.mark.parametrize("cut", [1, 100, 5000])
def test_pixels_that_end_early_are_truncated(cut: int) -> None:
    head = file_of(b"", PLAIN | {273: ("I", (500,))}).ljust(500, b"\0")
    data = head + values_of("u2").tobytes()

    with pytest.raises(errors.TruncatedImage):
        read(data[:-cut])


def test_tiles_far_larger_than_the_picture_are_refused() -> None:
    fields = {322: ("I", (4096,)), 323: ("I", (4000,)), 324: ("I", (8,)), 325: ("I", (9,))}
    base = {256: ("I", (16,)), 257: ("I", (16,)), 258: ("H", (8,)), 262: ("H", (1,))}

    with pytest.raises(errors.ImageTooCostly):
        read(file_of(bytes(16), base | fields | {259: ("H", (8,))}))
