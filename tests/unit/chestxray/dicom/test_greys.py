"""Lookup tables, windows, polarity and padding are applied in the order of the standard."""

from typing import Any

import numpy as np
import pytest

from chestxray.errors import BlankImage
from chestxray.greys import Values
from chestxray.images import read
from tests import dicoms
from tests.dicoms import RAMP


def shown(stored: Values = RAMP, **elements: Any) -> np.ndarray:
    """Grey values from 0 to 1."""
    return read(dicoms.film(stored, **elements)).values / (2**16 - 1)


def linear(values: Values, center: float, width: float) -> np.ndarray:
    """PS3.3, C.11.2.1.2.1, to 0..1."""
    return np.clip((values - (center - 0.5)) / (width - 1) + 0.5, 0, 1)


def test_values_without_a_window_keep_their_distances() -> None:
    np.testing.assert_allclose(shown(), RAMP / 4095, atol=1e-5)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("LINEAR", linear(RAMP, 2000, 1000)),
        ("LINEAR_EXACT", np.clip((RAMP - 2000.0) / 1000 + 0.5, 0, 1)),
        ("SIGMOID", 1 / (1 + np.exp(-4 * (RAMP - 2000.0) / 1000))),
    ],
)
def test_window_follows_its_function(function: str, expected: np.ndarray) -> None:
    found = shown(WindowCenter=2000, WindowWidth=1000, VOILUTFunction=function)

    scaled = (expected - expected.min()) / np.ptp(expected)
    np.testing.assert_allclose(found, scaled, atol=1e-4)


def test_window_applies_to_rescaled_values() -> None:
    found = shown(RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=1000, WindowWidth=200)

    np.testing.assert_allclose(found, linear(2.0 * RAMP - 1000, 1000, 200), atol=1e-4)


def test_first_of_several_windows_is_used() -> None:
    several = shown(WindowCenter=[2000, 100], WindowWidth=[1000, 50])

    np.testing.assert_array_equal(several, shown(WindowCenter=2000, WindowWidth=1000))


def test_voi_lut_wins_over_a_window() -> None:
    curve = (np.arange(4096.0) ** 2 / 4095**2 * 65535).astype(int)

    found = shown(VOILUTSequence=dicoms.lut(curve, 0), WindowCenter=2000, WindowWidth=10)

    np.testing.assert_allclose(found, (RAMP / 4095) ** 2, atol=1e-3)


def test_modality_lut_comes_before_the_window() -> None:
    halves = np.arange(4096) // 2
    elements: dict[str, Any] = {
        "ModalityLUTSequence": dicoms.lut(halves, 0),
        "WindowCenter": 1000,
        "WindowWidth": 500,
    }

    np.testing.assert_allclose(shown(**elements), linear(RAMP // 2, 1000, 500), atol=1e-3)


@pytest.mark.parametrize(
    "elements", [{"PhotometricInterpretation": "MONOCHROME1"}, {"PresentationLUTShape": "INVERSE"}]
)
def test_polarity_is_applied_last_to_the_windowed_values(elements: dict[str, Any]) -> None:
    window: dict[str, Any] = {"WindowCenter": 1000, "WindowWidth": 500}

    np.testing.assert_allclose(shown(**window, **elements), 1 - shown(**window), atol=1e-4)


@pytest.mark.parametrize("interpretation", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("padding", [0, 4000])
def test_padding_is_black_and_changes_nothing_else(interpretation: str, padding: int) -> None:
    film = np.clip(RAMP, 1000, 3000)
    padded = film.copy()
    padded[:, :9] = padding
    common: dict[str, Any] = {"PhotometricInterpretation": interpretation}

    found = shown(padded, PixelPaddingValue=padding, **common)

    assert (found[:, :9] == 0).all()
    np.testing.assert_array_equal(found[:, 9:], shown(film, **common)[:, 9:])


def test_range_of_padding_is_black() -> None:
    found = shown(PixelPaddingValue=0, PixelPaddingRangeLimit=999)

    assert (found[RAMP <= 1000] == 0).all()
    np.testing.assert_allclose(found[RAMP > 1000], (RAMP[RAMP > 1000] - 1000) / 3095, atol=1e-4)


@pytest.mark.parametrize(
    "elements",
    [
        {"WindowCenter": 2000, "WindowWidth": 0},
        {"WindowCenter": 2000, "WindowWidth": -5},
        {"WindowCenter": 2000, "WindowWidth": 0.5},
        {"WindowCenter": 2000, "WindowWidth": 0, "VOILUTFunction": "SIGMOID"},
        {"WindowCenter": 2000},
        {"WindowCenter": "", "WindowWidth": ""},
    ],
)
def test_impossible_window_is_ignored(elements: dict[str, Any]) -> None:
    np.testing.assert_array_equal(shown(**elements), shown())


def test_film_of_one_value_is_blank() -> None:
    with pytest.raises(BlankImage):
        shown(np.full((64, 64), 7, np.uint16))


def test_window_that_shows_nothing_is_blank() -> None:
    with pytest.raises(BlankImage):
        shown(WindowCenter=60000, WindowWidth=10)
