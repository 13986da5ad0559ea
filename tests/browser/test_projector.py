"""The projector shows the reference points and the visitor's images in three dimensions."""

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from chestxray.labels import FINDINGS
from tests.browser import page_actions
from tests.browser.conftest import Visit
from tests.browser.page_actions import CLEAR, ENGLISH, FINDING_NAMES, HAND, OPACITY
from tests.service.server import Server

_ASKED = "() => performance.getEntriesByType('resource').map(({ name }) => name)"


def open_projector(page: Page) -> Locator:
    """Opens the projector, and returns its canvas."""
    page.locator("#projector summary").click()
    space = page.locator(".space canvas")
    expect(space).to_be_visible()
    space.scroll_into_view_if_needed()
    return space


def canvas_centre(space: Locator) -> tuple[float, float]:
    box = space.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag_to_rotate(page: Page, space: Locator) -> None:
    x, y = canvas_centre(space)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 90, y + 30, steps=3)
    page.mouse.up()


def test_projector_is_loaded_only_when_opened(visit: Visit) -> None:
    page = visit()
    page.wait_for_load_state("networkidle")
    late = ("/projector.js", "/points.js", "/v1/projection")
    assert [name for name in page.evaluate(_ASKED) if name.endswith(late)] == []

    open_projector(page)

    asked = page.evaluate(_ASKED)
    assert all(any(name.endswith(each) for name in asked) for each in late)


def test_dragging_rotates_the_points_and_key_0_resets_them(visit: Visit) -> None:
    page = visit()
    space = open_projector(page)
    before = page_actions.pixels(space)

    drag_to_rotate(page, space)

    assert page_actions.pixels(space) != before
    space.press("0")
    assert page_actions.pixels(space) == before


@pytest.mark.parametrize(
    ("there", "back"), [("ArrowLeft", "ArrowRight"), ("ArrowUp", "ArrowDown"), ("+", "-")]
)
def test_keys_rotate_and_zoom_the_points(visit: Visit, there: str, back: str) -> None:
    page = visit()
    space = open_projector(page)
    before = page_actions.pixels(space)

    space.press(there)
    moved = page_actions.pixels(space)
    space.press(back)
    space.press(there)

    assert moved != before
    assert page_actions.pixels(space) == moved


def test_mouse_wheel_zooms_without_scrolling(visit: Visit) -> None:
    page = visit()
    space = open_projector(page)
    before, scrolled = page_actions.pixels(space), page.evaluate("scrollY")

    page.mouse.move(*canvas_centre(space))
    page.mouse.wheel(0, -200)
    expect(space).to_be_visible()

    page.wait_for_function(
        "([drawn, old]) => drawn.toDataURL() !== old", arg=[handle(space), before]
    )
    assert page.evaluate("scrollY") == scrolled


def handle(space: Locator) -> object:
    return space.element_handle()


def test_tooltip_names_the_class_of_the_point_under_the_pointer(visit: Visit) -> None:
    page = visit()
    space = open_projector(page)
    x, y = canvas_centre(space)
    tip = page.locator(".space .tip")

    for step in range(60):
        page.mouse.move(x - 120 + 4 * step, y)
        if tip.is_visible():
            break

    assert tip.inner_text() in FINDING_NAMES
    page.mouse.move(2, 2)
    expect(tip).to_be_hidden()


def test_class_filter_hides_and_shows_points(visit: Visit) -> None:
    page = visit()
    space = open_projector(page)
    before = page_actions.pixels(space)
    boxes = page.locator(".filters input")
    seen = {before}

    for i in range(len(FINDING_NAMES)):
        boxes.nth(i).uncheck()
        seen.add(page_actions.pixels(space))
        boxes.nth(i).check()

    assert len(seen) == 1 + len(FINDING_NAMES)
    assert page_actions.pixels(space) == before


def test_image_of_the_visit_is_marked(visit: Visit) -> None:
    page = visit()
    space = open_projector(page)
    empty = page_actions.pixels(space)

    page_actions.analyse(page, CLEAR)
    marked = page_actions.pixels(space)
    page_actions.press_button(page, ENGLISH["history.remove"].format(name=CLEAR.name))
    expect(page.locator("#history")).to_be_hidden()

    assert marked != empty
    assert page_actions.pixels(space) == empty


def test_note_states_point_count_and_variance(visit: Visit, server: Server) -> None:
    page = visit()
    stated = httpx.get(f"{server.url}/v1/projection").json()

    open_projector(page)

    shares = dict(zip("xyz", [f"{share:.0%}" for share in stated["variance"]], strict=True))
    note = ENGLISH["projector.note"].format(count=len(stated["points"]), **shares)
    expect(page.locator("#projector-body > p")).to_have_text(note)
    for finding, name in zip(FINDINGS, FINDING_NAMES, strict=True):
        count = stated["labels"].count(finding)
        expect(page.locator(".filters")).to_contain_text(f"{name} ({count})")


def test_closed_projector_is_removed_and_can_be_reopened(visit: Visit) -> None:
    page = visit()
    open_projector(page)

    page.locator("#projector summary").click()
    expect(page.locator(".space")).to_have_count(0)

    expect(open_projector(page)).to_be_visible()
    page_actions.use_language(page, "pt-BR")
    expect(page.locator(".filters legend")).to_have_text(page_actions.texts("pt")["projector.show"])


_CLASSES = """() => [...document.querySelectorAll(".filters .dot, .space [data-finding]")]
  .map((dot) => [dot.dataset.finding, getComputedStyle(dot).backgroundColor])"""
_NUMBERS = """() => {
  window.numbers = new Set();
  const { fillText } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
    window.numbers.add(text);
    fillText.call(this, text, ...place);
  };
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_legend_has_the_colours_of_the_points(visit: Visit, scheme: str) -> None:
    page = visit(color_scheme=scheme)
    open_projector(page)

    colours = {tuple(each) for each in page.evaluate(_CLASSES)}

    assert len(colours) == len(FINDINGS)


def test_rings_have_the_numbers_of_the_history(visit: Visit) -> None:
    page = visit(expecting="status of 422")
    page_actions.choose_files(page, CLEAR, HAND, OPACITY)
    expect(page.locator(".visit strong", has_text="%")).to_have_count(2)
    page.evaluate(_NUMBERS)

    open_projector(page)

    numbers = page.locator(".visit .number")
    expect(numbers).to_have_text([ENGLISH["history.number"].format(number=n) for n in (2, 1)])
    expect(page.locator(".visit").nth(1).locator(".number")).to_have_count(0)
    assert {"1", "2"} <= set(page.evaluate("() => [...window.numbers]"))
