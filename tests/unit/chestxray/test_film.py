"""The film is found in borders, pages and windows, and left as it is where it is not clear."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from chestxray import film
from chestxray.film import Box
from tests.phantoms import phantom

FILM = phantom(500, 600)
HEIGHT, WIDTH = FILM.shape


def page(width: int, height: int, left: int, top: int, level: int) -> np.ndarray:
    picture = np.full((height, width), level, np.uint8)
    picture[top : top + HEIGHT, left : left + WIDTH] = FILM
    return picture


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def is_found(picture: np.ndarray, left: int, top: int, *, within: int = 0) -> bool:
    wanted = Box(left, top, left + WIDTH, top + HEIGHT)
    return np.abs(np.subtract(film.find(picture), wanted)).max() <= within


def test_film_alone_is_all_of_the_picture() -> None:
    assert film.find(FILM) == Box(0, 0, WIDTH, HEIGHT)


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("border", [10, 50, 120])
def test_border_is_left_out(border: int, level: int) -> None:
    bordered = page(WIDTH + 2 * border, HEIGHT + 2 * border, border, border, level)

    assert is_found(bordered, border, border)


def test_border_of_a_compressed_picture_is_left_out() -> None:
    assert is_found(jpeg(page(900, 900, 200, 150, 255), 60), 200, 150, within=8)


def test_border_within_a_border_is_left_out() -> None:
    outer = np.full((900, 900), 255, np.uint8)
    outer[100:800, 100:700] = page(600, 700, 50, 50, 0)

    assert is_found(outer, 150, 150)


def test_film_is_found_on_a_page_with_text() -> None:
    sheet = Image.fromarray(page(1240, 1754, 370, 600, 255))
    pen = ImageDraw.Draw(sheet)
    for line in range(12):
        pen.text((120, 150 + 25 * line), "Report of an examination of nobody " * 4, fill=0)

    assert is_found(np.asarray(sheet), 370, 600)


def test_film_is_found_in_the_window_of_a_viewer() -> None:
    screen = Image.fromarray(page(1920, 1080, 800, 200, 0))
    pen = ImageDraw.Draw(screen)
    pen.rectangle([0, 0, 1920, 85], fill=40)
    pen.rectangle([0, 0, 287, 1080], fill=40)
    for button in range(18):
        pen.rectangle([308 + 60 * button, 20, 348 + 60 * button, 60], fill=95)
    for place in range(4):
        thumbnail = Image.fromarray(FILM).resize((200, 200))
        screen.paste(thumbnail, (40, 120 + 230 * place))
    for line in range(4):
        pen.text((303, 100 + 20 * line), "NOBODY  CHEST PA  W 2048 L 1024", fill=230)

    assert is_found(np.asarray(screen), 800, 200)


def test_border_of_any_depth_is_left_out() -> None:
    deep = page(700, 800, 100, 100, 0).astype(np.uint16) * 16 + 500
    floats = page(700, 800, 100, 100, 255).astype(np.float32) / 255
    floats[:100] = np.nan

    assert is_found(deep, 100, 100)
    assert is_found(floats, 100, 100)


def test_two_films_are_not_one() -> None:
    gap = np.zeros((HEIGHT, 40), np.uint8)
    pair = np.hstack([FILM, gap, FILM])

    assert film.find(pair) == Box(0, 0, pair.shape[1], HEIGHT)


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (3, 2000), (64, 64)])
def test_any_shape_has_a_box_within_it(shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 255, shape, np.uint8)

    for values in (picture, np.zeros(shape, np.uint8)):
        box = film.find(values)
        assert 0 <= box.left < box.right <= shape[1]
        assert 0 <= box.top < box.bottom <= shape[0]
