"""The film and its map change under the visitor's hands, and come back."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser import hands
from tests.browser.conftest import Visit
from tests.browser.hands import CLEAR, ENGLISH, FINDING_NAMES

BACK = {"image": ENGLISH["viewer.whole"], "film": ENGLISH["viewer.reset"]}


@pytest.fixture
def page(visit: Visit) -> Page:
    page = visit()
    hands.read(page, CLEAR)
    return page


def drag(page: Page, across: float, down: float, *, button: str = "left") -> None:
    """Drags over the stage, in shares of it."""
    hands.canvas(page).scroll_into_view_if_needed()
    box = hands.canvas(page).bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    page.mouse.down(button=button)  # type: ignore[arg-type]
    page.mouse.move(middle[0] + across * box["width"], middle[1] + down * box["height"], steps=4)
    page.mouse.up(button=button)  # type: ignore[arg-type]


def wheel(page: Page, by: float) -> None:
    hands.canvas(page).hover()
    page.mouse.wheel(0, by)
    expect(page.locator("#viewer .muted", has_text="%")).not_to_have_text("100%")


def keys(page: Page, *pressed: str) -> None:
    hands.canvas(page).focus()
    for key in pressed:
        page.keyboard.press(key)


def slider(page: Page, label: str) -> float:
    return float(page.get_by_label(ENGLISH[label], exact=True).input_value())


CHANGES: dict[str, tuple[Callable[[Page], None], str]] = {
    "brightness slider": (lambda page: hands.slide(page, "Brightness", 0.4), "film"),
    "contrast slider": (lambda page: hands.slide(page, "Contrast", 1.5), "film"),
    "invert": (lambda page: hands.press(page, "Invert"), "film"),
    "drag with the second button": (lambda page: drag(page, 0.2, 0.1, button="right"), "film"),
    "wheel": (lambda page: wheel(page, -300), "image"),
    "button": (lambda page: hands.press(page, ENGLISH["viewer.in"]), "image"),
    "plus": (lambda page: keys(page, "+"), "image"),
    "plus and arrow": (lambda page: keys(page, "+", "+", "ArrowLeft"), "image"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_picture_changes_and_comes_back(page: Page, change: str) -> None:
    act, what = CHANGES[change]
    before = hands.pixels(hands.canvas(page))

    act(page)

    assert hands.pixels(hands.canvas(page)) != before
    hands.press(page, BACK[what])
    assert hands.pixels(hands.canvas(page)) == before


def test_each_class_has_a_map_of_its_own(page: Page) -> None:
    seen = set()

    for finding in FINDING_NAMES:
        hands.press(page, finding)
        chosen = page.get_by_role("button", name=finding, exact=True)
        expect(chosen).to_have_attribute("aria-pressed", "true")
        expect(page.locator("fieldset [aria-pressed=true]")).to_have_count(1)
        expect(hands.canvas(page)).to_have_attribute("aria-label", described(finding))
        seen.add(hands.pixels(hands.canvas(page)))

    assert len(seen) == len(FINDING_NAMES)


def described(finding: str) -> str:
    return ENGLISH["viewer.described"].format(finding=finding)


def test_map_of_the_predicted_class_comes_first(page: Page) -> None:
    before = hands.pixels(hands.canvas(page))
    (predicted,) = page.locator("fieldset [aria-pressed=true]").all_text_contents()

    hands.press(page, next(finding for finding in FINDING_NAMES if finding != predicted))
    hands.press(page, predicted)

    assert hands.pixels(hands.canvas(page)) == before
    assert predicted in (page.locator(".visit strong").text_content() or "")


def test_map_without_strength_leaves_the_bare_film(page: Page) -> None:
    before = hands.pixels(hands.canvas(page))

    hands.slide(page, ENGLISH["viewer.opacity"], 0)
    bare = hands.pixels(hands.canvas(page))
    hands.press(page, FINDING_NAMES[0])
    same = hands.pixels(hands.canvas(page))
    hands.press(page, FINDING_NAMES[2])

    assert before != bare == same == hands.pixels(hands.canvas(page))


def test_dragging_moves_a_film_that_is_zoomed(page: Page) -> None:
    keys(page, "+", "+")
    before = hands.pixels(hands.canvas(page))

    drag(page, 0.1, 0.1)

    assert hands.pixels(hands.canvas(page)) != before
    assert slider(page, "viewer.brightness") == 0
    drag(page, -0.1, -0.1)
    keys(page, "0")
    expect(page.locator("#viewer .muted", has_text="%")).to_have_text("100%")


def test_dragging_windows_the_film_where_that_is_chosen(page: Page) -> None:
    before = hands.pixels(hands.canvas(page))
    hands.press(page, ENGLISH["viewer.drag"])

    drag(page, 0.2, -0.2)

    assert hands.pixels(hands.canvas(page)) != before
    assert slider(page, "viewer.brightness") == pytest.approx(0.2, abs=0.02)
    assert slider(page, "viewer.contrast") > 0.3
    hands.press(page, ENGLISH["viewer.reset"])
    assert hands.pixels(hands.canvas(page)) == before


def test_inverting_twice_changes_nothing(page: Page) -> None:
    before = hands.pixels(hands.canvas(page))

    hands.press(page, ENGLISH["viewer.invert"])
    hands.press(page, ENGLISH["viewer.invert"])

    assert hands.pixels(hands.canvas(page)) == before


def test_arrows_do_not_scroll_the_page_away(visit: Visit) -> None:
    page = visit(reduced_motion="reduce")
    hands.read(page, CLEAR)
    hands.canvas(page).focus()
    before = page.evaluate("scrollY")

    keys(page, "ArrowDown", "ArrowDown", "+", "ArrowDown")

    assert page.evaluate("scrollY") == before


def test_two_fingers_zoom(visit: Visit) -> None:
    page = visit(has_touch=True)
    hands.read(page, CLEAR)
    hands.canvas(page).scroll_into_view_if_needed()
    before = hands.pixels(hands.canvas(page))

    pinch(page)

    assert hands.pixels(hands.canvas(page)) != before
    zoom = page.locator("#viewer .muted", has_text="%").inner_text()
    assert int(zoom.rstrip("%")) == pytest.approx(200, abs=20)


def pinch(page: Page) -> None:
    """Moves two fingers apart to twice their distance."""
    box = hands.canvas(page).bounding_box()
    assert box is not None
    across, down = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = page.context.new_cdp_session(page)
    for kind, reach in [("touchStart", 40), ("touchMove", 60), ("touchMove", 80)]:
        fingers = [{"x": across + side * reach, "y": down, "id": side + 1} for side in (-1, 1)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_new_image_is_shown_whole_and_as_it_is(page: Page) -> None:
    fresh = hands.pixels(hands.canvas(page))
    keys(page, "+", "+")
    hands.press(page, ENGLISH["viewer.invert"])

    hands.read(page, CLEAR)

    expect(page.locator(".visit")).to_have_count(2)
    expect(page.locator("#viewer .muted", has_text="%")).to_have_text("100%")
    assert hands.pixels(hands.canvas(page)) == fresh
