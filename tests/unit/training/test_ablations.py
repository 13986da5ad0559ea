"""Every view shows what it is named after, and hides the rest without a trace."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from tests.phantoms import phantom
from training import views
from training.lungs import lung_mask

SIDE = 224
FRAME = views.frame((SIDE, SIDE))


@pytest.fixture(scope="module")
def film() -> np.ndarray:
    return phantom(SIDE, SIDE)


@pytest.mark.parametrize("name", views.VIEWS)
def test_view_keeps_shape_and_type(name: str, film: np.ndarray) -> None:
    seen = views.apply(name, np.stack([film, film[:, ::-1]]))

    assert seen.shape == (2, SIDE, SIDE)
    assert seen.dtype == np.uint8
    assert (seen[0] == views.VIEWS[name](film)).all()


@pytest.mark.parametrize("name", sorted(views.VIEWS.keys() - {"as_is"}))
def test_view_changes_the_picture_and_not_its_source(name: str, film: np.ndarray) -> None:
    lettered, before = with_letter(film), with_letter(film)

    seen = views.VIEWS[name](lettered)

    assert (seen != before).any()
    assert (lettered == before).all()


def test_picture_as_it_is_is_not_copied(film: np.ndarray) -> None:
    pixels = film[None]

    assert views.apply("as_is", pixels) is pixels


def test_unknown_view_is_named_with_the_known_ones(film: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"'upside_down'.*border_only"):
        views.apply("upside_down", film[None])


def test_frame_is_four_of_thirty_two_pixels() -> None:
    assert (~views.frame((32, 32))).sum() == 24 * 24


def test_border_says_nothing_of_the_centre(film: np.ndarray) -> None:
    other = np.where(FRAME, film, 255 - film)

    assert (views.border_only(film) == views.border_only(other)).all()
    assert (views.border_only(film)[FRAME] == film[FRAME]).all()


def test_centre_says_nothing_of_the_border(film: np.ndarray) -> None:
    other = np.where(FRAME, 255 - film, film)

    assert (views.centre_only(film) == views.centre_only(other)).all()
    assert (views.centre_only(film)[~FRAME] == film[~FRAME]).all()


def test_lungs_are_blurred_and_nothing_else(film: np.ndarray) -> None:
    lungs, seen = lung_mask(film), views.blurred_lungs(film)

    assert (seen[~lungs] == film[~lungs]).all()
    assert detail(seen)[lungs].mean() < 0.35 * detail(film)[lungs].mean()


def test_without_lungs_hides_them_with_their_rim(film: np.ndarray) -> None:
    lungs, seen = lung_mask(film), views.without_lungs(film)

    assert np.ptp(seen[ndimage.binary_dilation(lungs, iterations=4)]) == 0
    assert (seen[FRAME] == film[FRAME]).mean() > 0.9


def test_letters_are_painted_over(film: np.ndarray) -> None:
    seen = views.without_text(with_letter(film))

    assert seen[:40, :40].max() < 100
    assert np.abs(seen.astype(int) - film)[:40, :40].mean() < 10


def test_picture_without_letters_stays(film: np.ndarray) -> None:
    assert (views.without_text(film) == film).mean() > 0.98


def test_bright_mark_in_a_lung_stays(film: np.ndarray) -> None:
    marked = film.copy()
    marked[100:106, 64:70] = 255

    assert (views.without_text(marked)[100:106, 64:70] == 255).all()


def test_equalized_picture_uses_the_whole_range(film: np.ndarray) -> None:
    seen = views.equalized((film // 4 + 90).astype(np.uint8))

    assert seen.min() == 0
    assert seen.max() == 255


def test_crop_enlarges_the_lungs(film: np.ndarray) -> None:
    small = np.pad(film, SIDE // 4, mode="edge")
    small = np.asarray(Image.fromarray(small).resize((SIDE, SIDE)))

    assert lung_mask(views.lung_crop(small)).mean() > 1.5 * lung_mask(small).mean()


def with_letter(film: np.ndarray) -> np.ndarray:
    image = Image.fromarray(film)
    ImageDraw.Draw(image).line([(10, 30), (10, 10), (22, 10), (22, 20), (10, 20)], 250, width=3)
    return np.array(image)


def detail(film: np.ndarray) -> np.ndarray:
    values = film.astype(np.float64)
    return np.abs(values - ndimage.gaussian_filter(values, 4))
