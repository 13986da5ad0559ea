"""The viewer as a reader's tool: entering it, measuring, comparing, full screen, keys."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests import phantoms
from tests.browser import film_actions, page_actions
from tests.browser.conftest import Visit
from tests.browser.film_actions import SIDE, deep_film, told
from tests.browser.page_actions import CLEAR, ENGLISH, PATCHES, texts

LOCALES = {"en-US": "en", "pt-BR": "pt", "es-MX": "es"}
SPACING = 0.5


def scrolled(page: Page) -> float:
    """Turns the wheel over the film, and returns how far the page went."""
    before: float = page.evaluate("scrollY")
    page_actions.canvas(page).hover()
    page.mouse.wheel(0, 200)
    page_actions.pixels(page_actions.canvas(page))
    after: float = page.evaluate("scrollY")
    return after - before


def test_wheel_scrolls_the_page_unless_the_film_was_entered(visit: Visit) -> None:
    page = visit(reduced_motion="reduce", viewport={"width": 1366, "height": 768})
    film_actions.open_film(page, CLEAR)
    stage, zoom = page.locator(".stage"), page.locator("#viewer .zoom")
    whole = zoom.inner_text()
    assert scrolled(page) > 100

    page_actions.canvas(page).click()
    expect(stage).to_have_attribute("data-entered", "")
    page.mouse.wheel(0, -200)
    expect(zoom).not_to_have_text(whole)
    assert scrolled(page) == 0

    page.keyboard.press("Escape")
    expect(stage).not_to_have_attribute("data-entered", "")
    page.evaluate("scrollTo(0, 0)")
    assert scrolled(page) > 100

    film_actions.press(page, "Enter")
    expect(stage).to_have_attribute("data-entered", "")
    page.locator("#try-title").click()
    expect(stage).not_to_have_attribute("data-entered", "")


def test_touch_scrolls_the_page_until_the_film_is_tapped(visit: Visit) -> None:
    page = visit(has_touch=True, viewport={"width": 360, "height": 800})
    film_actions.open_film(page, CLEAR)
    canvas = page_actions.canvas(page)
    expect(canvas).to_have_css("touch-action", "auto")

    canvas.tap()

    expect(canvas).to_have_css("touch-action", "none")
    page.locator("#history h2").tap()
    expect(canvas).to_have_css("touch-action", "auto")


def measure(page: Page, tool: str, *places: tuple[float, float]) -> str:
    page.get_by_role("button", name=ENGLISH[f"viewer.tool.{tool}"], exact=True).click()
    film_actions.click(page, *places)
    return told(page)


@pytest.mark.parametrize(
    ("elements", "factor", "words"),
    [
        ({"PixelSpacing": [SPACING, SPACING]}, 1.0, "mm"),
        ({"PixelSpacing": [9, SPACING]}, 1.0, "mm"),
        ({"ImagerPixelSpacing": [SPACING, SPACING]}, 1.0, "mm at the detector"),
        (
            {
                "ImagerPixelSpacing": [SPACING, SPACING],
                "EstimatedRadiographicMagnificationFactor": 1.25,
            },
            0.8,
            "mm",
        ),
    ],
)
def test_length_is_in_millimetres(
    visit: Visit, tmp_path: Path, elements: dict[str, object], factor: float, words: str
) -> None:
    page = visit()
    film_actions.open_film(page, film_actions.dicom(tmp_path, **elements))

    length, unit = measure(page, "length", (0.25, 0.5), (0.75, 0.5)).split(" ", 1)

    assert unit == words
    assert float(length) == pytest.approx(SIDE / 2 * SPACING * factor, abs=1)


def test_length_is_the_same_in_every_view_and_by_dragging(visit: Visit, tmp_path: Path) -> None:
    page = visit()
    film_actions.open_film(page, film_actions.dicom(tmp_path, PixelSpacing=[SPACING, SPACING]))
    film_actions.press(page, "r", "h", "l")
    page.mouse.move(*film_actions.place(page, 0.25, 0.5))
    page.mouse.down()
    page.mouse.move(*film_actions.place(page, 0.75, 0.5), steps=4)
    page.mouse.up()

    assert float(told(page).split()[0]) == pytest.approx(SIDE / 2 * SPACING, abs=1)
    before = film_actions.drawn(page)
    film_actions.press(page, "Delete")
    assert not np.array_equal(film_actions.drawn(page), before)
    expect(page.get_by_role("button", name=ENGLISH["viewer.removeLast"])).to_be_hidden()


@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_length_is_refused_where_a_pixel_has_no_size_that_can_be_trusted(
    visit: Visit, tmp_path: Path, format_: str
) -> None:
    page = visit()
    path = tmp_path / f"film.{format_.lower()}"
    path.write_bytes(phantoms.encode(deep_film(), format_, dpi=(300, 300)))
    film_actions.open_film(page, path)

    assert measure(page, "length", (0.25, 0.5)) == ENGLISH["viewer.noSpacing"]
    assert measure(page, "angle", (0.3, 0.5), (0.5, 0.5), (0.5, 0.3)) == "90.0°"


def test_lengths_and_pixels_are_found_by_keyboard(visit: Visit, tmp_path: Path) -> None:
    page = visit(viewport={"width": 1366, "height": 768})
    film_actions.open_film(page, film_actions.dicom(tmp_path, PixelSpacing=[SPACING, SPACING]))
    film_actions.press(page, "p", "ArrowLeft")
    assert told(page).startswith("x 2")

    film_actions.press(page, "l", "ArrowLeft", "Enter", *["ArrowRight"] * 10, "Enter")

    scale = int(page.locator("#viewer .zoom").inner_text().rstrip("%")) / 100
    assert float(told(page).split()[0]) == pytest.approx(100 / scale * SPACING, rel=0.02)


@pytest.fixture
def bordered(tmp_path: Path) -> Path:
    """A film within a wide border, so that its map covers a part of the picture."""
    with Image.open(PATCHES) as film:
        picture = Image.new("L", (film.width + 300, film.height + 300), 255)
        picture.paste(film.convert("L"), (200, 60))
    picture.save(tmp_path / "bordered.png")
    return tmp_path / "bordered.png"


def mapped(page: Page) -> np.ndarray:
    """How much the map changes each pixel of the film that is shown whole."""
    film_actions.press(page, "s")
    bare = film_actions.shown(page).astype(int)
    film_actions.press(page, "s")
    return np.abs(film_actions.shown(page) - bare).sum(axis=2)


def test_map_stays_on_the_film_turned_flipped_and_zoomed(visit: Visit, bordered: Path) -> None:
    page = visit(viewport={"width": 1366, "height": 768})
    film_actions.open_film(page, bordered)
    before = mapped(page)
    assert before.max() > 60

    for keys, back in {
        "r": lambda shown: np.rot90(shown),
        "rr": lambda shown: np.rot90(shown, 3),  # a turn by 270 degrees, with the one before
        "h": lambda shown: np.rot90(shown[:, ::-1], 3),
    }.items():
        film_actions.press(page, *keys)
        difference = np.abs(back(mapped(page)) - before)
        assert np.mean(difference > 12) < 0.01, keys

    film_actions.press(page, "x", "+", "+", "+")
    zoomed, (height, width) = mapped(page), before.shape
    side = round(width / 1.25**3)
    left, top = (width - side) // 2, (height - side) // 2
    part = Image.fromarray(before[top : top + side, left : left + side].astype(np.float32))
    expected = np.asarray(part.resize((width, height)))
    assert np.mean(np.abs(expected - zoomed) > 20) < 0.02


def test_films_are_compared_beside_and_over_each_other(visit: Visit) -> None:
    page = visit(viewport={"width": 1366, "height": 768})
    film_actions.open_film(page, CLEAR, PATCHES)
    expect(page.locator(".visit .bars, .visit strong", has_text="%")).to_have_count(2)
    alone = film_actions.drawn(page)

    page.get_by_label(ENGLISH["viewer.compare"]).select_option(index=1)

    expect(page.locator(".stage .caption:visible")).to_have_count(2)
    captions = "".join(page.locator(".stage .caption:visible").all_inner_texts())
    assert CLEAR.name in captions and PATCHES.name in captions
    beside = film_actions.drawn(page)
    film_actions.press(page, "i", "+")
    linked = film_actions.drawn(page)
    axis = 1 if beside.shape[1] >= beside.shape[0] else 0
    for half, changed in zip(
        np.array_split(beside, 2, axis), np.array_split(linked, 2, axis), strict=True
    ):
        assert np.abs(half.astype(int) - changed).mean() > 20  # both follow
    film_actions.press(page, "x", "o")
    page_actions.set_slider(page, ENGLISH["viewer.blend"], 0)
    film_actions.expect_drawn(page, alone)
    page_actions.set_slider(page, ENGLISH["viewer.blend"], 1)
    assert not np.array_equal(film_actions.drawn(page), alone)
    film_actions.press(page, "c")
    expect(page.locator(".stage .caption:visible")).to_have_count(0)
    film_actions.expect_drawn(page, alone)


def test_full_screen_shows_the_film_alone_and_gives_the_page_back(visit: Visit) -> None:
    page = visit(viewport={"width": 1366, "height": 768})
    film_actions.open_film(page, CLEAR, PATCHES)

    film_actions.press(page, "f")

    room = page.get_by_role("dialog", name=ENGLISH["viewer.room"])
    expect(room).to_be_visible()
    expect(page_actions.canvas(page)).to_be_focused()
    box = room.locator(".stage").bounding_box()
    assert box is not None
    assert box["height"] > 700 and box["width"] > 1000
    film_actions.press(page, "n")
    expect(room.locator(".caption:visible")).to_contain_text(CLEAR.name)
    film_actions.press(page, "b")
    expect(room.locator(".caption:visible")).to_contain_text(PATCHES.name)
    room.get_by_role("button", name=ENGLISH["viewer.leaveFull"]).click()

    expect(room).to_be_hidden()
    expect(page.locator("#viewer .stage canvas")).to_be_focused()
    expect(page.locator("#result .bars")).to_be_visible()
    film_actions.press(page, "f")
    expect(room).to_be_visible()
    page.keyboard.press("Escape")
    expect(room).to_be_hidden()


@pytest.mark.parametrize("locale", LOCALES)
def test_all_keys_are_listed_in_the_visitors_language(visit: Visit, locale: str) -> None:
    page, words = visit(locale=locale), texts(LOCALES[locale])
    film_actions.open_film(page, CLEAR)

    film_actions.press(page, "?")

    dialog = page.get_by_role("dialog", name=words["viewer.keys"])
    expect(dialog).to_be_visible()
    for key in ("viewer.enter", "viewer.leave", "viewer.flip", "viewer.tool.angle", "viewer.full"):
        expect(dialog).to_contain_text(words[key])
    assert dialog.evaluate("list => list.scrollHeight <= list.clientHeight")  # seen at once
    page.keyboard.press("Escape")
    expect(page.locator("dialog.shortcuts")).to_have_count(0)


def test_keys_of_the_viewer_do_nothing_elsewhere_on_the_page(visit: Visit) -> None:
    page = visit()
    film_actions.open_film(page, CLEAR)
    before = film_actions.drawn(page)

    page.locator(".visit .open").focus()
    for key in "ih3":
        page.keyboard.press(key)

    assert np.array_equal(film_actions.drawn(page), before)


def test_bases_of_the_lungs_and_main_controls_fit_on_a_small_laptop(visit: Visit) -> None:
    page = visit(viewport={"width": 1366, "height": 768}, reduced_motion="reduce")
    film_actions.open_film(page, CLEAR)

    for shown in (
        page.locator(".stage"),
        page.locator("#viewer fieldset"),
        page.get_by_label(ENGLISH["viewer.opacity"]),
        page.get_by_label(ENGLISH["viewer.contrast"]),
        page.get_by_role("button", name=ENGLISH["viewer.invert"]),
        page.locator("#result .bars"),
    ):
        box = shown.bounding_box()
        assert box is not None
        assert box["y"] >= 0 and box["y"] + box["height"] <= 768


@pytest.mark.parametrize(("width", "height", "least"), [(3840, 2160, 1900), (360, 800, 290)])
def test_film_takes_what_the_screen_has(visit: Visit, width: int, height: int, least: int) -> None:
    page = visit(viewport={"width": width, "height": height})
    film_actions.open_film(page, CLEAR)

    box = page.locator(".stage").bounding_box()

    assert box is not None
    assert min(box["width"], box["height"]) >= least
    assert page.evaluate("document.documentElement.scrollWidth") <= width
