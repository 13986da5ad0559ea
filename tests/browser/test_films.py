"""Films in full depth and resolution, which a browser shows in eight bits or not at all."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from playwright.sync_api import FilePayload, Page, expect

from tests import dicoms, phantoms, tiffs
from tests.browser import film_actions, page_actions
from tests.browser.conftest import Visit
from tests.browser.film_actions import SIDE, deep_film, told
from tests.browser.page_actions import CLEAR, ENGLISH

FILM = deep_film()
_STORED = """name => new Promise((resolve) => {
  const request = indexedDB.open("chestxray");
  request.onsuccess = () => {
    const all = request.result.transaction("entries").objectStore("entries").getAll();
    all.onsuccess = () => resolve(all.result.map((entry) => entry[name]?.size ?? null));
  };
})"""


def tifffile_bytes(values: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, values, **options)
    return file.getvalue()


FILES: dict[str, Callable[[], bytes]] = {
    "PNG, 16 bits": lambda: phantoms.encode(FILM, "PNG"),
    "TIFF, 16 bits": lambda: tifffile_bytes(FILM),
    "TIFF, 16 bits, deflated": lambda: tifffile_bytes(FILM, compression="zlib", predictor=True),
    "TIFF, 16 bits, LZW": lambda: tifffile_bytes(FILM, compression="lzw"),
    "TIFF, big endian": lambda: tifffile_bytes(FILM, byteorder=">"),
    "TIFF, 12 bits": lambda: tiffs.tiff(FILM[..., None], bits=12, order=">"),
    "TIFF, floats": lambda: tifffile_bytes(FILM.astype(np.float32)),
    "DICOM": lambda: dicoms.film(FILM),
    **{
        f"DICOM, {name}": lambda write=write: write(dicoms.dataset(FILM))  # type: ignore[misc]
        for name, write in dicoms.LOSSLESS.items()
    },
}


def payload(name: str, data: bytes) -> FilePayload:
    return {"name": name, "mimeType": "", "buffer": data}


def open_bytes(page: Page, name: str, data: bytes) -> None:
    page_actions.choose_files(page, payload(name, data))
    page_actions.expect_result(page)
    expect(page.locator(".stage .empty")).to_have_count(0)


def probe(page: Page, across: float, down: float) -> tuple[int, int, float]:
    """The pixel at a place, and its value as the viewer says it."""
    page.mouse.move(*film_actions.place(page, across, down))
    found = re.fullmatch(r"x (\d+), y (\d+): value ([-\d.,]+)", told(page))
    assert found
    return int(found[1]), int(found[2]), float(found[3].replace(",", ""))


@pytest.mark.parametrize("name", FILES)
def test_film_is_shown_in_its_full_depth(visit: Visit, name: str) -> None:
    page = visit(viewport={"width": 1366, "height": 900})
    open_bytes(page, f"{name}.{'dcm' if 'DICOM' in name else name[:4].lower()}", FILES[name]())
    page.get_by_role("button", name=ENGLISH["viewer.tool.probe"]).click()

    for across, down in [(0.5, 0.5), (0.3, 0.4), (0.7, 0.6)]:
        x, y, value = probe(page, across, down)
        assert (x, y) == (pytest.approx(across * SIDE, abs=2), pytest.approx(down * SIDE, abs=2))
        assert value == FILM[y, x]

    expect(page.locator("#viewer .window")).not_to_contain_text("65,535")
    page_actions.set_slider(page, ENGLISH["viewer.opacity"], 0)
    assert film_actions.shown(page).std() > 30  # not nearly black
    expect(page.locator(".visit img")).to_be_visible()


def test_signed_values_and_those_of_a_rescaled_dicom_file_are_told(visit: Visit) -> None:
    page = visit()
    signed = FILM.astype(np.int16) - 2048
    open_bytes(page, "a.dcm", dicoms.film(signed, RescaleSlope=2, RescaleIntercept=-5))
    film_actions.press(page, "p")

    x, y, value = probe(page, 0.5, 0.5)

    assert value == 2 * int(signed[y, x]) - 5


def test_film_opens_in_the_window_of_its_file(visit: Visit, tmp_path: Path) -> None:
    page = visit()
    film_actions.open_film(
        page,
        film_actions.dicom(tmp_path, WindowCenter=["2000", "900"], WindowWidth=["3000", "300"]),
    )

    expect(page.locator("#viewer .window")).to_have_text("Level 2,000, width 2,999")
    expect(page.get_by_label(ENGLISH["viewer.preset"])).to_contain_text("1 As in the file")
    film_actions.press(page, "8")
    expect(page.locator("#viewer .window")).to_have_text("Level 900, width 299")
    film_actions.press(page, "1", "i", "x")
    expect(page.locator("#viewer .window")).to_have_text("Level 2,000, width 2,999")


def test_keys_choose_windows_of_the_values_that_occur(visit: Visit, tmp_path: Path) -> None:
    page = visit()
    film_actions.open_film(page, film_actions.dicom(tmp_path))
    shades = set()

    for key in "234567":
        film_actions.press(page, key)
        shades.add(page.locator("#viewer .window").inner_text())

    assert len(shades) == 6
    film_actions.press(page, "2")
    low, high = int(deep_film(12).min()), int(deep_film(12).max())
    level, width = page.locator("#viewer .window").inner_text().replace(",", "").split()[1::2]
    assert (float(level), float(width)) == (pytest.approx((low + high) / 2, abs=1), high - low)


def test_monochrome1_is_shown_as_its_positive(visit: Visit, tmp_path: Path) -> None:
    page, other = visit(), visit()
    film_actions.open_film(page, film_actions.dicom(tmp_path))
    negative = dicoms.film(4095 - deep_film(12), PhotometricInterpretation="MONOCHROME1")
    open_bytes(other, "negative.dcm", negative)

    for each in (page, other):
        film_actions.press(each, "s", "2")

    difference = film_actions.shown(page).astype(int) - film_actions.shown(other)
    assert np.abs(difference).max() <= 2


def test_film_is_shown_in_its_full_resolution_and_saved_so(visit: Visit, tmp_path: Path) -> None:
    fine = np.zeros((2400, 2400), np.uint8)
    with Image.open(CLEAR) as picture:
        fine[:] = np.asarray(picture.convert("L").resize((2400, 2400)))
    fine[1200:1240, 1200:1240] = np.indices((40, 40)).sum(0) % 2 * 255  # single pixels
    Image.fromarray(fine).save(tmp_path / "fine.png")
    page = visit()
    film_actions.open_film(page, tmp_path / "fine.png")
    page_actions.set_slider(page, ENGLISH["viewer.opacity"], 0)

    with page.expect_download() as saving:
        page_actions.press_button(page, ENGLISH["result.png"])

    with Image.open(saving.value.path()) as saved:
        assert np.array_equal(np.asarray(saved.convert("L")), fine)
    film_actions.press(page, "z")
    expect(page.locator("#viewer .zoom")).to_have_text("100%")
    assert film_actions.drawn(page).std() > 0


def test_saved_picture_of_a_deep_film_is_the_film(visit: Visit, tmp_path: Path) -> None:
    page = visit()
    film_actions.open_film(page, film_actions.dicom(tmp_path))
    film_actions.press(page, "2", "s")
    page_actions.set_slider(page, ENGLISH["viewer.opacity"], 0)

    with page.expect_download() as saving:
        page_actions.press_button(page, ENGLISH["result.png"])

    film = deep_film(12).astype(float)
    expected = 255 * (film - film.min()) / (film.max() - film.min())
    with Image.open(saving.value.path()) as saved:
        assert np.abs(np.asarray(saved.convert("L")) - expected).max() <= 1


def test_deep_film_is_shown_again_after_a_reload(visit: Visit, tmp_path: Path) -> None:
    page = visit()
    film_actions.open_film(page, film_actions.dicom(tmp_path))
    before = film_actions.drawn(page)
    size = (tmp_path / "film.dcm").stat().st_size
    expect(page.locator(".visit img")).to_be_visible()
    assert page.evaluate(_STORED, "original") == [size]
    assert page.evaluate(_STORED, "file") == [None]

    page.reload()

    film_actions.expect_drawn(page, before)


def test_decoders_are_loaded_with_the_first_film_that_needs_them(
    visit: Visit, tmp_path: Path
) -> None:
    page = visit()
    asked: list[str] = []
    page.context.on("request", lambda request: asked.append(request.url))

    film_actions.open_film(page, CLEAR)
    assert not [url for url in asked if "/vendor/" in url]

    film_actions.open_film(page, film_actions.dicom(tmp_path))
    assert [url.rsplit("/", 1)[1] for url in asked if "/vendor/" in url] == ["dicom.js"]


def test_file_that_cannot_be_shown_is_said_so(visit: Visit) -> None:
    page = visit(expecting="status of 4")
    data = dicoms.film(FILM)

    page_actions.choose_files(page, payload("cut.dcm", data[: len(data) // 2]))

    expect(page.locator("#result .problem")).to_be_visible()
    expect(page.locator(".stage .empty")).to_have_text(ENGLISH["viewer.undecodable"])


def test_analysis_does_not_wait_for_the_film_to_be_decoded(visit: Visit) -> None:
    page = visit()
    page.route("**/vendor/jpeg_2000.js", lambda route: None)
    data = dicoms.LOSSLESS["JPEG 2000"](dicoms.dataset(FILM))

    with Image.open(CLEAR) as clear:
        photo = phantoms.encode(
            np.asarray(clear.convert("L").resize((2400, 2400))), "JPEG", quality=95
        )
    assert len(photo) > 200_000  # or no copy of it would be made
    page_actions.choose_files(page, payload("film.dcm", data), payload("photo.jpg", photo))

    expect(page.locator(".visit strong", has_text="%")).to_have_count(2)
    expect(page.locator(".stage .empty")).to_have_text(ENGLISH["viewer.loading"])
