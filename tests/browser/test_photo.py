"""What is sent of a photo: a copy that is answered alike, or by the visitor's choice the file."""

import io
import json
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image, ImageCms
from playwright.sync_api import Browser, Page, expect

from tests.browser import page_actions
from tests.browser.conftest import Visit
from tests.browser.page_actions import CLEAR, ENGLISH
from tests.browser.relay import Relay, run_relay
from tests.service.server import Server, serve

PHOTO = 4000, 3000
NOISE = 3.0  # standard deviation, in grey levels of 256
SMALL_LIMIT = 1_000_000
RESAMPLING = 0.02
"""Tolerated change of a probability when an image is downscaled."""
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
_GAMMA, _SMALLER_GAMMA = struct.pack(">i", 0x26666), struct.pack(">i", 0x13333)  # 2.4, and 1.2
BRIGHTER = _SRGB.replace(_GAMMA, _SMALLER_GAMMA)
"""An ICC profile with which a browser shows other grey levels than those in the file."""


def encoded(film: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    film.save(buffer, kind, **options)
    return buffer.getvalue()


def sixteen_bits(film: Image.Image) -> bytes:
    return encoded(Image.fromarray(np.asarray(film).astype(np.uint16) * 16), "PNG")


UNLIKE: dict[str, Callable[[Image.Image], bytes]] = {
    "PNG of 16 bits": sixteen_bits,
    "PNG with alpha": lambda film: encoded(film.convert("LA"), "PNG"),
    "PNG with a transparent grey": lambda film: encoded(film, "PNG", transparency=0),
    "PNG with a palette": lambda film: encoded(film.convert("P"), "PNG"),
    "JPEG of CMYK": lambda film: encoded(film.convert("CMYK"), "JPEG", quality=95),
    "WebP": lambda film: encoded(film, "WEBP", quality=98),
    "TIFF": lambda film: encoded(film, "TIFF"),
    "BMP": lambda film: encoded(film, "BMP"),
}
"""Files of which a browser may show something else than the service reads."""

_EXIF_ORIENTATION = 0x0112
_TURN_RIGHT = 6  # what a phone writes that is held upright


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo of twelve megapixels: a radiograph on a dark background, with a sensor's noise."""
    canvas = Image.new("L", PHOTO, 10)
    with Image.open(CLEAR) as film:
        side = round(PHOTO[1] * film.width / film.height), PHOTO[1]
        canvas.paste(film.convert("L").resize(side), ((PHOTO[0] - side[0]) // 2, 0))
    path = tmp_path_factory.mktemp("photo") / "photo.jpg"
    noise = np.random.default_rng(0).normal(0, NOISE, canvas.size[::-1])
    grey = np.clip(np.asarray(canvas) + noise, 0, 255).round().astype(np.uint8)
    Image.fromarray(grey).save(path, quality=92)
    return path


@pytest.fixture(scope="module")
def small_server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("small")
    settings = {"OMP_NUM_THREADS": "1", "CHESTXRAY_MAX_IMAGE_PIXELS": str(SMALL_LIMIT)}
    with serve(folder, **settings) as running:
        yield running


def probabilities(server: Server, file: Path) -> dict[str, float]:
    """The service's answer to the file itself."""
    headers = {"Content-Type": "application/octet-stream"}
    address = f"{server.url}/v1/analyses"
    answer = httpx.post(address, content=file.read_bytes(), headers=headers, timeout=60)
    found: dict[str, float] = answer.raise_for_status().json()["prediction"]["probabilities"]
    return found


def answered(relay: Relay) -> dict[str, float]:
    """The answer that the page got."""
    (answer,) = relay.answers
    found: dict[str, float] = json.loads(answer)["prediction"]["probabilities"]
    return found


def sent(page: Page, relay: Relay, file: Path, *, original: bool = False) -> bytes:
    """What the page sends of a file."""
    if original:
        page.get_by_label(ENGLISH["original.tick"]).check()
    page_actions.analyse(page, file)
    (body,) = relay.bodies
    return body


def test_photo_is_sent_unchanged_when_the_visitor_says_so(
    visit: Visit, server: Server, photo: Path
) -> None:
    with run_relay(server.url) as relay:
        assert sent(visit(relay.url), relay, photo, original=True) == photo.read_bytes()


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_large_film_is_sent_as_a_small_copy_that_is_answered_alike(
    visit: Visit, server: Server, photo: Path, tmp_path: Path, kind: str
) -> None:
    """Without the background: whether one with noise is cropped depends on the resolution."""
    file = tmp_path / f"film.{kind.lower()}"
    side = (PHOTO[0] - PHOTO[1]) // 2
    with Image.open(photo) as whole:
        film = whole.crop((side, 0, PHOTO[0] - side, PHOTO[1]))
        film.convert("RGB").save(file, quality=95, icc_profile=BRIGHTER)
    with run_relay(server.url) as relay:
        body = sent(visit(relay.url), relay, file)

    with Image.open(io.BytesIO(body)) as copy:
        assert (copy.format, copy.size) == ("JPEG", (1024, 1024))
    assert len(body) < 200_000 < file.stat().st_size
    assert answered(relay) == pytest.approx(probabilities(server, file), abs=RESAMPLING)


@pytest.mark.parametrize("name", UNLIKE)
def test_file_that_the_browser_may_decode_otherwise_is_sent_unchanged(
    visit: Visit, server: Server, photo: Path, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "film"
    with Image.open(photo) as film:
        file.write_bytes(UNLIKE[name](film.resize((1600, 1200))))
    assert file.stat().st_size > 200_000
    with run_relay(server.url) as relay:
        assert sent(visit(relay.url), relay, file) == file.read_bytes()


def test_small_film_is_sent_unchanged(visit: Visit, server: Server) -> None:
    with run_relay(server.url) as relay:
        assert sent(visit(relay.url), relay, CLEAR) == CLEAR.read_bytes()


@pytest.mark.alone
def test_large_photo_is_answered_within_six_seconds_at_400_kbit_a_second(
    visit: Visit, photo: Path
) -> None:
    page = visit()
    page.wait_for_load_state("networkidle")
    throttle(page)
    started = time.monotonic()

    page_actions.choose_files(page, photo)
    page_actions.expect_result(page)

    assert time.monotonic() - started < 6


def throttle(page: Page) -> None:
    """400 kbit/s, and 400 ms for a round trip."""
    network = page.context.new_cdp_session(page)
    rate = 400_000 / 8
    how = {"offline": False, "latency": 400, "uploadThroughput": rate, "downloadThroughput": rate}
    network.send("Network.emulateNetworkConditions", how)


def test_original_above_the_limit_is_downscaled_with_nearly_equal_result(
    visit: Visit, server: Server, small_server: Server, photo: Path
) -> None:
    with run_relay(small_server.url) as relay:
        body = sent(visit(relay.url), relay, photo, original=True)

    with Image.open(io.BytesIO(body)) as smaller:
        assert SMALL_LIMIT / 2 < smaller.width * smaller.height <= SMALL_LIMIT
        assert smaller.width / smaller.height == pytest.approx(PHOTO[0] / PHOTO[1], abs=0.01)
    assert answered(relay) == pytest.approx(probabilities(server, photo), abs=RESAMPLING)


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
