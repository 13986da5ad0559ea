"""Bit depth, offset and burnt-in annotations do not change the windowed image."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestxray.windowing import levels, window
from tests.phantoms import phantom

CHEST = phantom(500, 600)
DEPTHS = {
    "8 bits": lambda v: v,
    "12 bits": lambda v: v.astype(np.uint16) * 16,
    "16 bits": lambda v: v.astype(np.uint16) * 257,
    "an offset": lambda v: v.astype(np.uint16) * 3 + 200,
    "signed integers": lambda v: v.astype(np.int16) * 8 - 1000,
    "wide integers": lambda v: v.astype(np.uint32) * 2**24,
    "floats of 0 to 1": lambda v: (v / 255).astype(np.float32),
    "doubles": lambda v: v / 255 * 2048 - 1024,
}


@pytest.mark.parametrize("make", DEPTHS.values(), ids=DEPTHS)
def test_same_pixels_are_windowed_the_same_at_every_depth(make) -> None:
    difference = window(make(CHEST)).astype(int) - window(CHEST)

    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("divisor", [2, 4])
def test_dim_radiograph_is_windowed_like_a_bright_one(divisor: int) -> None:
    difference = window(CHEST // divisor).astype(int) - window(CHEST)

    assert np.abs(difference).mean() < divisor


def test_inverted_radiograph_is_windowed_to_the_inverted_image() -> None:
    difference = window(255 - CHEST).astype(int) - (255 - window(CHEST).astype(int))

    assert np.abs(difference).max() <= 1


def test_bright_label_does_not_change_the_window() -> None:
    film = CHEST.astype(np.uint16) * 16
    labelled = film.copy()
    labelled[:50, :100] = 65535  # 1.7% of the pixels

    difference = window(labelled)[50:].astype(int) - window(film)[50:]

    assert np.abs(difference).max() <= 2


@pytest.mark.parametrize("padding", [0, 65535])
def test_padding_outside_the_field_does_not_change_the_levels(padding: int) -> None:
    film = CHEST.astype(np.uint16) * 16 + 800
    rows, columns = np.mgrid[-1:1:600j, -1:1:500j]
    outside = rows**2 + columns**2 > 1
    padded = np.where(outside, np.uint16(padding), film)

    low, high = levels(padded)

    assert (low, high) == pytest.approx(levels(film[~outside][None]), abs=40)


def test_padding_of_two_values_does_not_change_the_levels() -> None:
    film = CHEST.astype(np.uint16) * 16
    padded = film.copy()
    padded[:20], padded[-20:] = 65535, 60000

    assert levels(padded) == pytest.approx(levels(film[20:-20]), abs=40)


def test_non_finite_values_become_black_or_white() -> None:
    film = (CHEST / 255).astype(np.float32)
    film[0, :3] = np.nan, np.inf, -np.inf

    assert list(window(film)[0, :3]) == [0, 255, 0]
    assert levels(film) == pytest.approx(levels((CHEST / 255).astype(np.float32)))


@given(st.sampled_from([np.uint8, np.uint16, np.int32, np.float32, np.float64]), st.integers(1, 9))
def test_uniform_image_of_any_depth_is_windowed_to_one_level(dtype: type, side: int) -> None:
    assert len(np.unique(window(np.full((side, side + 1), 7, dtype)))) == 1
