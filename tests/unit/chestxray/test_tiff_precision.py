"""TIFF: a radiograph is windowed the same in any type, however far its values are from zero."""

import numpy as np
import pytest

from chestxray.images import crop_and_window, read
from tests.phantoms import phantom
from tests.unit.chestxray.test_tiff import tiff_with_tifffile

FAR = {
    "uint32 far from zero": lambda v: v.astype(np.uint32) + 2**31,
    "int32 far from zero": lambda v: (v - 2**31).astype(np.int32),
    "uint64 far from zero": lambda v: v.astype(np.uint64) + 2**50,
    "double far from zero": lambda v: 1e6 + v / 4096,
    "uint32": lambda v: v.astype(np.uint32),
    "uint64": lambda v: v.astype(np.uint64),
    "float": lambda v: v.astype(np.float32),
}


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("kind", FAR)
def test_12_bit_radiograph_is_windowed_the_same_in_any_type(kind: str, photometric: str) -> None:
    """Single precision cannot distinguish 12-bit values far from zero."""
    film = phantom(300, 350).astype(np.int64) * 16
    stored = 4095 - film if photometric == "miniswhite" else film

    found = crop_and_window(read(tiff_with_tifffile(FAR[kind](stored), photometric=photometric)))

    expected = crop_and_window(
        read(tiff_with_tifffile(film.astype(np.uint16), photometric="minisblack"))
    )
    assert np.abs(np.asarray(found.image, int) - np.asarray(expected.image, int)).max() <= 1
