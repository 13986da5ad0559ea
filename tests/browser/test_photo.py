"""A phone photo is downscaled before it is sent only if it exceeds the service's limit."""

import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from tests.browser import page_actions
from tests.browser.conftest import Visit
from tests.browser.page_actions import CLEAR, ENGLISH
from tests.browser.relay import run_relay
from tests.service.server import Server, serve

PHOTO = 4000, 3000
SMALL_LIMIT = 1_000_000
RESAMPLING = 0.02
"""Tolerated change of a probability when an image is downscaled."""
_EXIF_ORIENTATION = 0x0112
_TURN_RIGHT = 6  # what a phone writes that is held upright


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo of twelve megapixels: a radiograph on a black background."""
    canvas = Image.new("L", PHOTO)
    with Image.open(CLEAR) as film:
        side = round(PHOTO[1] * film.width / film.height), PHOTO[1]
        canvas.paste(film.convert("L").resize(side), ((PHOTO[0] - side[0]) // 2, 0))
    path = tmp_path_factory.mktemp("photo") / "photo.jpg"
    canvas.save(path, quality=92)
    return path


@pytest.fixture(scope="module")
def small_server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("small")
    settings = {"OMP_NUM_THREADS": "1", "CHESTXRAY_MAX_IMAGE_PIXELS": str(SMALL_LIMIT)}
    with serve(folder, **settings) as running:
        yield running


def probabilities(server: Server, data: bytes) -> dict[str, float]:
    headers = {"Content-Type": "image/jpeg"}
    answer = httpx.post(f"{server.url}/v1/analyses", content=data, headers=headers, timeout=60)
    found: dict[str, float] = answer.raise_for_status().json()["prediction"]["probabilities"]
    return found


def test_photo_within_the_limits_is_sent_unchanged(
    visit: Visit, server: Server, photo: Path
) -> None:
    with run_relay(server.url) as relay:
        page = visit(relay.url)
        page_actions.analyse(page, photo)

    assert relay.bodies == [photo.read_bytes()]


def test_photo_above_the_limit_is_downscaled_with_nearly_equal_result(
    visit: Visit, server: Server, small_server: Server, photo: Path
) -> None:
    with run_relay(small_server.url) as relay:
        page = visit(relay.url)
        page_actions.analyse(page, photo)

    (sent,) = relay.bodies
    with Image.open(io.BytesIO(sent)) as smaller:
        assert SMALL_LIMIT / 2 < smaller.width * smaller.height <= SMALL_LIMIT
        assert smaller.width / smaller.height == pytest.approx(PHOTO[0] / PHOTO[1], abs=0.01)
    expected = probabilities(server, photo.read_bytes())
    read = httpx.Response(200, content=relay.answers[0]).json()["prediction"]["probabilities"]
    assert read == pytest.approx(expected, abs=RESAMPLING)


def test_photo_with_exif_orientation_is_shown_and_analysed_upright(
    visit: Visit, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[_EXIF_ORIENTATION] = _TURN_RIGHT
    with Image.open(CLEAR) as film:
        size = film.size
        film.rotate(90, expand=True).save(tmp_path / "held.jpg", exif=exif, quality=92)
    page = visit()

    page_actions.analyse(page, tmp_path / "held.jpg")

    with page.expect_download() as saved:
        page_actions.press_button(page, ENGLISH["result.png"])
    saved.value.save_as(tmp_path / "shown.png")
    with Image.open(tmp_path / "shown.png") as shown:
        assert shown.size == size
    expect(page.locator("#result .problem")).to_have_count(0)
