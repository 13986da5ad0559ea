"""The reference points in three dimensions, with the visitor's images among them."""

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from chestxray.labels import FINDINGS
from tests.browser import hands
from tests.browser.conftest import Visit
from tests.browser.hands import CLEAR, ENGLISH, FINDING_NAMES
from tests.service.server import Server

_ASKED = "() => performance.getEntriesByType('resource').map(({ name }) => name)"


def open_projector(page: Page) -> Locator:
    """Opens it, and gives its canvas."""
    page.locator("#projector summary").click()
    space = page.locator(".space canvas")
    expect(space).to_be_visible()
    space.scroll_into_view_if_needed()
    return space


def middle(space: Locator) -> tuple[float, float]:
    box = space.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def turn(page: Page, space: Locator) -> None:
    x, y = middle(space)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 90, y + 30, steps=3)
    page.mouse.up()


def test_projector_is_loaded_when_it_is_opened(visit: Visit) -> None:
    page = visit()
    page.wait_for_load_state("networkidle")
    late = ("web/projector.js", "web/points.js", "v1/projection")
    assert [name for name in page.evaluate(_ASKED) if name.endswith(late)] == []

    open_projector(page)

    asked = page.evaluate(_ASKED)
    assert all(any(name.endswith(each) for name in asked) for each in late)


def test_dragging_turns_and_zero_turns_back(visit: Visit) -> None:
    page = visit()
    space = open_projector(page)
    before = hands.pixels(space)

    turn(page, space)

    assert hands.pixels(space) != before
    space.press("0")
    assert hands.pixels(space) == before


@pytest.mark.parametrize(
    ("there", "back"), [("ArrowLeft", "ArrowRight"), ("ArrowUp", "ArrowDown"), ("+", "-")]
)
def test_keys_turn_and_zoom(visit: Visit, there: str, back: str) -> None:
    page = visit()
    space = open_projector(page)
    before = hands.pixels(space)

    space.press(there)
    moved = hands.pixels(space)
    space.press(back)
    space.press(there)

    assert moved != before
    assert hands.pixels(space) == moved


def test_wheel_zooms(visit: Visit) -> None:
    page = visit()
    space = open_projector(page)
    before, scrolled = hands.pixels(space), page.evaluate("scrollY")

    page.mouse.move(*middle(space))
    page.mouse.wheel(0, -200)
    expect(space).to_be_visible()

    page.wait_for_function(
        "([drawn, old]) => drawn.toDataURL() !== old", arg=[handle(space), before]
    )
    assert page.evaluate("scrollY") == scrolled


def handle(space: Locator) -> object:
    return space.element_handle()


def test_dot_under_the_pointer_names_its_class(visit: Visit) -> None:
    page = visit()
    space = open_projector(page)
    x, y = middle(space)
    tip = page.locator(".space .tip")

    for step in range(60):
        page.mouse.move(x - 120 + 4 * step, y)
        if tip.is_visible():
            break

    assert tip.inner_text() in FINDING_NAMES
    page.mouse.move(2, 2)
    expect(tip).to_be_hidden()


def test_class_is_filtered_out_and_back(visit: Visit) -> None:
    page = visit()
    space = open_projector(page)
    before = hands.pixels(space)
    boxes = page.locator(".filters input")
    seen = {before}

    for i in range(len(FINDING_NAMES)):
        boxes.nth(i).uncheck()
        seen.add(hands.pixels(space))
        boxes.nth(i).check()

    assert len(seen) == 1 + len(FINDING_NAMES)
    assert hands.pixels(space) == before


def test_image_of_this_visit_is_marked(visit: Visit) -> None:
    page = visit()
    space = open_projector(page)
    empty = hands.pixels(space)

    hands.read(page, CLEAR)
    marked = hands.pixels(space)
    hands.press(page, ENGLISH["history.remove"].format(name=CLEAR.name))
    expect(page.locator("#history")).to_be_hidden()

    assert marked != empty
    assert hands.pixels(space) == empty


def test_note_states_points_and_variance_of_the_service(visit: Visit, server: Server) -> None:
    page = visit()
    stated = httpx.get(f"{server.url}/v1/projection").json()

    open_projector(page)

    shares = dict(zip("xyz", [f"{share:.0%}" for share in stated["variance"]], strict=True))
    note = ENGLISH["projector.note"].format(count=len(stated["points"]), **shares)
    expect(page.locator("#projector-body > p")).to_have_text(note)
    for finding, name in zip(FINDINGS, FINDING_NAMES, strict=True):
        count = stated["labels"].count(finding)
        expect(page.locator(".filters")).to_contain_text(f"{name} ({count})")


def test_closed_projector_is_gone_and_opens_again(visit: Visit) -> None:
    page = visit()
    open_projector(page)

    page.locator("#projector summary").click()
    expect(page.locator(".space")).to_have_count(0)

    expect(open_projector(page)).to_be_visible()
    hands.use_language(page, "pt-BR")
    expect(page.locator(".filters legend")).to_have_text(hands.texts("pt")["projector.show"])
