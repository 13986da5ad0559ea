"""Every ablation keeps the part of the image that it is named after and hides the rest."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from tests.phantoms import phantom
from training import ablations
from training.lungs import lung_mask

SIDE = 224
FRAME = ablations.frame((SIDE, SIDE))


@pytest.fixture(scope="module")
def radiograph() -> np.ndarray:
    return phantom(SIDE, SIDE)


@pytest.mark.parametrize("name", ablations.ABLATIONS)
def test_ablation_keeps_shape_and_type(name: str, radiograph: np.ndarray) -> None:
    seen = ablations.apply(name, np.stack([radiograph, radiograph[:, ::-1]]))

    assert seen.shape == (2, SIDE, SIDE)
    assert seen.dtype == np.uint8
    assert (seen[0] == ablations.ABLATIONS[name](radiograph)).all()


@pytest.mark.parametrize("name", sorted(ablations.ABLATIONS.keys() - {"as_is"}))
def test_ablation_changes_the_image_and_not_its_input(name: str, radiograph: np.ndarray) -> None:
    lettered, before = with_letter(radiograph), with_letter(radiograph)

    seen = ablations.ABLATIONS[name](lettered)

    assert (seen != before).any()
    assert (lettered == before).all()


def test_identity_ablation_does_not_copy_the_image(radiograph: np.ndarray) -> None:
    pixels = radiograph[None]

    assert ablations.apply("as_is", pixels) is pixels


def test_error_of_an_unknown_ablation_lists_the_known_ones(radiograph: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"'upside_down'.*border_only"):
        ablations.apply("upside_down", radiograph[None])


def test_frame_is_four_pixels_wide_in_an_image_of_thirty_two() -> None:
    assert (~ablations.frame((32, 32))).sum() == 24 * 24


def test_border_only_is_independent_of_the_centre(radiograph: np.ndarray) -> None:
    other = np.where(FRAME, radiograph, 255 - radiograph)

    assert (ablations.border_only(radiograph) == ablations.border_only(other)).all()
    assert (ablations.border_only(radiograph)[FRAME] == radiograph[FRAME]).all()


def test_centre_only_is_independent_of_the_border(radiograph: np.ndarray) -> None:
    other = np.where(FRAME, 255 - radiograph, radiograph)

    assert (ablations.centre_only(radiograph) == ablations.centre_only(other)).all()
    assert (ablations.centre_only(radiograph)[~FRAME] == radiograph[~FRAME]).all()


def test_blurred_lungs_changes_only_the_lungs(radiograph: np.ndarray) -> None:
    lungs, seen = lung_mask(radiograph), ablations.blurred_lungs(radiograph)

    assert (seen[~lungs] == radiograph[~lungs]).all()
    assert detail(seen)[lungs].mean() < 0.35 * detail(radiograph)[lungs].mean()


def test_without_lungs_hides_the_lungs_and_their_edges(radiograph: np.ndarray) -> None:
    lungs, seen = lung_mask(radiograph), ablations.without_lungs(radiograph)

    assert np.ptp(seen[ndimage.binary_dilation(lungs, iterations=4)]) == 0
    assert (seen[FRAME] == radiograph[FRAME]).mean() > 0.9


def test_without_text_removes_letters(radiograph: np.ndarray) -> None:
    seen = ablations.without_text(with_letter(radiograph))

    assert seen[:40, :40].max() < 100
    assert np.abs(seen.astype(int) - radiograph)[:40, :40].mean() < 10


def test_without_text_keeps_an_image_without_letters(radiograph: np.ndarray) -> None:
    assert (ablations.without_text(radiograph) == radiograph).mean() > 0.98


def test_without_text_keeps_a_bright_spot_in_a_lung(radiograph: np.ndarray) -> None:
    marked = radiograph.copy()
    marked[100:106, 64:70] = 255

    assert (ablations.without_text(marked)[100:106, 64:70] == 255).all()


def test_equalized_image_uses_the_whole_range(radiograph: np.ndarray) -> None:
    seen = ablations.equalized((radiograph // 4 + 90).astype(np.uint8))

    assert seen.min() == 0
    assert seen.max() == 255


def test_lung_crop_enlarges_the_lungs(radiograph: np.ndarray) -> None:
    small = np.pad(radiograph, SIDE // 4, mode="edge")
    small = np.asarray(Image.fromarray(small).resize((SIDE, SIDE)))

    assert lung_mask(ablations.lung_crop(small)).mean() > 1.5 * lung_mask(small).mean()


def with_letter(radiograph: np.ndarray) -> np.ndarray:
    image = Image.fromarray(radiograph)
    ImageDraw.Draw(image).line([(10, 30), (10, 10), (22, 10), (22, 20), (10, 20)], 250, width=3)
    return np.array(image)


def detail(radiograph: np.ndarray) -> np.ndarray:
    values = radiograph.astype(np.float64)
    return np.abs(values - ndimage.gaussian_filter(values, 4))
