"""The same radiograph has the same grey values in every encoding."""

import struct
from collections.abc import Callable

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit

from chestxray.greys import Values
from chestxray.images import crop_and_window, read
from tests import dicoms
from tests.crafted import CHEST
from tests.phantoms import encode

_LINES, _COLUMNS = 240, 200


def radiograph() -> Values:
    """Values of 12 bits without structure that a codec keeps exactly by chance."""
    rows, columns = np.mgrid[:_LINES, :_COLUMNS]
    smooth = (np.sin(columns / 30) + np.cos(rows / 40) + 2) * 900
    noise = np.random.default_rng(7).normal(0, 20, smooth.shape)
    return np.asarray((smooth + noise).clip(0, 4095), np.uint16)


FILM = radiograph()


@pytest.mark.parametrize("name", dicoms.LOSSLESS)
def test_lossless_encoding_keeps_every_value(name: str) -> None:
    found = read(dicoms.LOSSLESS[name](dicoms.dataset(FILM)))

    assert (found.input.format, found.input.bits, found.input.colour) == ("DICOM", 12, False)
    assert (found.input.width, found.input.height) == (_COLUMNS, _LINES)
    np.testing.assert_array_equal(found.values, read(dicoms.film(FILM)).values)


@pytest.mark.parametrize("name", dicoms.LOSSY)
def test_lossy_encoding_keeps_values_nearly(name: str) -> None:
    exact = read(dicoms.film(FILM)).values.astype(np.float64)
    found = read(dicoms.LOSSY[name](dicoms.dataset(FILM))).values

    assert np.abs(found - exact).mean() < 0.01 * np.ptp(exact)


@pytest.mark.parametrize("write", dicoms.LOSSLESS.values(), ids=dicoms.LOSSLESS)
def test_signed_values_are_read_as_such(write: Callable[[Dataset], bytes]) -> None:
    unsigned = dicoms.dataset(FILM)
    signed = dicoms.dataset(FILM.astype(np.int16) - 2048)

    np.testing.assert_array_equal(read(write(signed)).values, read(write(unsigned)).values)


def test_png_of_the_same_values_is_the_same_picture() -> None:
    of_dicom = crop_and_window(read(dicoms.film(FILM))).pixels.astype(int)
    of_png = crop_and_window(read(encode(FILM, "PNG"))).pixels.astype(int)

    assert np.abs(of_dicom - of_png).max() <= 1
    assert (of_dicom != of_png).mean() < 0.01


def test_colour_is_read_by_its_luma() -> None:
    grey = np.asarray(CHEST)
    colours = np.stack([grey, grey, grey], axis=-1)

    found = read(dicoms.film(colours, bits=8, PhotometricInterpretation="RGB"))

    assert found.input.colour
    np.testing.assert_array_equal(found.values, grey)


def test_ybr_is_read_by_its_luma() -> None:
    grey = np.asarray(CHEST)
    colours = np.stack([grey, np.full_like(grey, 128), np.full_like(grey, 128)], axis=-1)

    found = read(dicoms.film(colours, bits=8, PhotometricInterpretation="YBR_FULL"))

    np.testing.assert_array_equal(found.values, grey)


def jpeg_without_names(colours: Values) -> bytes:
    """JPEG of red, green and blue that does not say so."""
    named = encode(colours, "JPEG", keep_rgb=True, quality=95)
    data = bytearray(named[:2] + named[named.index(b"\xff\xdb") :])
    frame, scan = data.index(b"\xff\xc0") + 10, data.index(b"\xff\xda") + 5
    for number in range(3):
        data[frame + 3 * number] = data[scan + 2 * number] = number + 1
    return bytes(data)


def test_jpeg_without_names_of_its_colours_has_those_of_the_header() -> None:
    grey = np.asarray(CHEST)
    colours = np.stack([grey, grey, grey], axis=-1)
    made = dicoms.dataset(colours, bits=8, PhotometricInterpretation="RGB")
    made.PixelData = encapsulate([jpeg_without_names(colours)])
    made.file_meta.TransferSyntaxUID = JPEGBaseline8Bit

    found = read(dicoms.file(made)).values.astype(float)

    assert np.abs(found - grey).mean() < 2


def test_bits_beside_the_pixel_are_ignored() -> None:
    """Old files have overlays there (PS3.5, 8.1.2)."""
    clean = dicoms.dataset(FILM)
    crowded = dicoms.dataset(FILM)
    crowded.PixelData = (FILM | 0xA000).tobytes()

    np.testing.assert_array_equal(
        read(dicoms.file(crowded)).values, read(dicoms.file(clean)).values
    )


def test_pixel_in_the_upper_bits_is_found() -> None:
    shifted = dicoms.dataset(FILM << 4, bits=16)
    shifted.BitsStored, shifted.HighBit = 12, 15

    np.testing.assert_array_equal(read(dicoms.file(shifted)).values, read(dicoms.film(FILM)).values)


def test_file_without_a_preamble_is_read() -> None:
    whole = dicoms.film(FILM)

    np.testing.assert_array_equal(read(whole[132:]).values, read(whole).values)


@pytest.mark.parametrize("name", [name for name in dicoms.LOSSLESS if "endian" in name])
def test_file_without_meta_information_is_read(name: str) -> None:
    """As files of before 1993 are: the encoding is seen from the first elements."""
    whole = dicoms.LOSSLESS[name](dicoms.dataset(FILM))
    (length,) = struct.unpack_from("<I", whole, 140)

    np.testing.assert_array_equal(read(whole[144 + length :]).values, read(whole).values)
