"""TIFF: a film gives the same picture in any type, however far from zero its values lie."""

import numpy as np
import pytest

from chestxray.images import develop, read
from tests.phantoms import phantom
from tests.unit.chestxray.test_tiff import written

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
def test_film_of_12_bits_is_windowed_alike_in_any_type(kind: str, photometric: str) -> None:
    """Single precision does not tell 12 bits apart far from zero."""
    film = phantom(300, 350).astype(np.int64) * 16
    stored = 4095 - film if photometric == "miniswhite" else film

    found = develop(read(written(FAR[kind](stored), photometric=photometric)))

    expected = develop(read(written(film.astype(np.uint16), photometric="minisblack")))
    assert np.abs(np.asarray(found.image, int) - np.asarray(expected.image, int)).max() <= 1
