"""The radiograph is found within borders, pages and viewer windows; otherwise all is kept."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from chestxray import film
from chestxray.film import Box
from tests.phantoms import phantom

CHEST = phantom(500, 600)
HEIGHT, WIDTH = CHEST.shape


def page(width: int, height: int, left: int, top: int, level: int) -> np.ndarray:
    picture = np.full((height, width), level, np.uint8)
    picture[top : top + HEIGHT, left : left + WIDTH] = CHEST
    return picture


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def finds_radiograph(picture: np.ndarray, left: int, top: int, *, within: int = 0) -> bool:
    wanted = Box(left, top, left + WIDTH, top + HEIGHT)
    return np.abs(np.subtract(film.find(picture), wanted)).max() <= within


def test_radiograph_without_a_border_fills_the_image() -> None:
    assert film.find(CHEST) == Box(0, 0, WIDTH, HEIGHT)


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("border", [10, 50, 120])
def test_border_is_cropped(border: int, level: int) -> None:
    bordered = page(WIDTH + 2 * border, HEIGHT + 2 * border, border, border, level)

    assert finds_radiograph(bordered, border, border)


def test_border_of_a_compressed_image_is_cropped() -> None:
    assert finds_radiograph(jpeg(page(900, 900, 200, 150, 255), 60), 200, 150, within=8)


def test_nested_borders_are_cropped() -> None:
    outer = np.full((900, 900), 255, np.uint8)
    outer[100:800, 100:700] = page(600, 700, 50, 50, 0)

    assert finds_radiograph(outer, 150, 150)


def test_radiograph_is_found_on_a_page_with_text() -> None:
    sheet = Image.fromarray(page(1240, 1754, 370, 600, 255))
    pen = ImageDraw.Draw(sheet)
    for line in range(12):
        pen.text((120, 150 + 25 * line), "Report of an examination of nobody " * 4, fill=0)

    assert finds_radiograph(np.asarray(sheet), 370, 600)


def test_radiograph_is_found_in_a_viewer_window() -> None:
    screen = Image.fromarray(page(1920, 1080, 800, 200, 0))
    pen = ImageDraw.Draw(screen)
    pen.rectangle([0, 0, 1920, 85], fill=40)
    pen.rectangle([0, 0, 287, 1080], fill=40)
    for button in range(18):
        pen.rectangle([308 + 60 * button, 20, 348 + 60 * button, 60], fill=95)
    for place in range(4):
        thumbnail = Image.fromarray(CHEST).resize((200, 200))
        screen.paste(thumbnail, (40, 120 + 230 * place))
    for line in range(4):
        pen.text((303, 100 + 20 * line), "NOBODY  CHEST PA  W 2048 L 1024", fill=230)

    assert finds_radiograph(np.asarray(screen), 800, 200)


def test_border_of_a_deep_or_float_image_is_cropped() -> None:
    deep = page(700, 800, 100, 100, 0).astype(np.uint16) * 16 + 500
    floats = page(700, 800, 100, 100, 255).astype(np.float32) / 255
    floats[:100] = np.nan

    assert finds_radiograph(deep, 100, 100)
    assert finds_radiograph(floats, 100, 100)


def test_two_radiographs_are_not_cropped() -> None:
    gap = np.zeros((HEIGHT, 40), np.uint8)
    pair = np.hstack([CHEST, gap, CHEST])

    assert film.find(pair) == Box(0, 0, pair.shape[1], HEIGHT)


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (3, 2000), (64, 64)])
def test_box_lies_within_an_image_of_any_shape(shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 255, shape, np.uint8)

    for values in (picture, np.zeros(shape, np.uint8)):
        box = film.find(values)
        assert 0 <= box.left < box.right <= shape[1]
        assert 0 <= box.top < box.bottom <= shape[0]
