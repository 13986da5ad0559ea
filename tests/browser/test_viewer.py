"""The viewer changes the image and its heatmap, and can be reset."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser import film_actions, page_actions
from tests.browser.conftest import Visit
from tests.browser.page_actions import CLEAR, ENGLISH, FINDING_NAMES, PATCHES

RESET = {"image": ENGLISH["viewer.whole"], "film": ENGLISH["viewer.reset"]}


@pytest.fixture
def page(visit: Visit) -> Page:
    page = visit()
    page_actions.analyse(page, CLEAR)
    return page


def drag(page: Page, across: float, down: float, *, button: str = "left") -> None:
    """Drags over the canvas by a share of its size."""
    page_actions.canvas(page).scroll_into_view_if_needed()
    box = page_actions.canvas(page).bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    page.mouse.down(button=button)  # type: ignore[arg-type]
    page.mouse.move(middle[0] + across * box["width"], middle[1] + down * box["height"], steps=4)
    page.mouse.up(button=button)  # type: ignore[arg-type]


def scroll_wheel(page: Page, by: float) -> None:
    """Enters the film, and turns the wheel over it."""
    before = zoom(page)
    page_actions.canvas(page).click()
    page.mouse.wheel(0, by)
    expect(page.locator("#viewer .zoom")).not_to_have_text(f"{before}%")


def zoom(page: Page) -> int:
    """Pixels of the screen for each of the film, in percent."""
    return int(page.locator("#viewer .zoom").inner_text().rstrip("%"))


def press_keys(page: Page, *pressed: str) -> None:
    page_actions.canvas(page).focus()
    for key in pressed:
        page.keyboard.press(key)


def slider_value(page: Page, label: str) -> float:
    return float(page.get_by_label(ENGLISH[label], exact=True).input_value())


CHANGES: dict[str, tuple[Callable[[Page], None], str]] = {
    "brightness slider": (lambda page: page_actions.set_slider(page, "Brightness", 0.4), "film"),
    "contrast slider": (lambda page: page_actions.set_slider(page, "Contrast", 1.5), "film"),
    "invert": (lambda page: page_actions.press_button(page, "Invert"), "film"),
    "drag with the second button": (lambda page: drag(page, 0.2, 0.1, button="right"), "film"),
    "wheel": (lambda page: scroll_wheel(page, -300), "image"),
    "button": (lambda page: page_actions.press_button(page, ENGLISH["viewer.in"]), "image"),
    "plus": (lambda page: press_keys(page, "+"), "image"),
    "plus and arrow": (lambda page: press_keys(page, "+", "+", "ArrowLeft"), "image"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_change_of_the_view_can_be_reset(page: Page, change: str) -> None:
    act, what = CHANGES[change]
    before = page_actions.pixels(page_actions.canvas(page))

    act(page)

    assert page_actions.pixels(page_actions.canvas(page)) != before
    page_actions.press_button(page, RESET[what])
    assert page_actions.pixels(page_actions.canvas(page)) == before


def test_each_class_has_its_own_heatmap(page: Page) -> None:
    seen = set()

    for finding in FINDING_NAMES:
        page_actions.press_button(page, finding)
        chosen = page.get_by_role("button", name=finding, exact=True)
        expect(chosen).to_have_attribute("aria-pressed", "true")
        expect(page.locator("fieldset [aria-pressed=true]")).to_have_count(1)
        expect(page_actions.canvas(page)).to_have_attribute("aria-label", canvas_label(finding))
        seen.add(page_actions.pixels(page_actions.canvas(page)))

    assert len(seen) == len(FINDING_NAMES)


def canvas_label(finding: str) -> str:
    return ENGLISH["viewer.described"].format(finding=finding)


def test_heatmap_of_the_predicted_class_is_shown_first(page: Page) -> None:
    before = page_actions.pixels(page_actions.canvas(page))
    (predicted,) = page.locator("fieldset [aria-pressed=true]").all_text_contents()

    page_actions.press_button(
        page, next(finding for finding in FINDING_NAMES if finding != predicted)
    )
    page_actions.press_button(page, predicted)

    assert page_actions.pixels(page_actions.canvas(page)) == before
    assert predicted in (page.locator(".visit strong").text_content() or "")


def test_heatmap_with_zero_opacity_shows_the_bare_image(page: Page) -> None:
    before = page_actions.pixels(page_actions.canvas(page))

    page_actions.set_slider(page, ENGLISH["viewer.opacity"], 0)
    bare = page_actions.pixels(page_actions.canvas(page))
    page_actions.press_button(page, FINDING_NAMES[0])
    same = page_actions.pixels(page_actions.canvas(page))
    page_actions.press_button(page, FINDING_NAMES[2])

    assert before != bare == same == page_actions.pixels(page_actions.canvas(page))


def test_dragging_pans_a_zoomed_image(page: Page) -> None:
    whole = page_actions.pixels(page_actions.canvas(page))
    press_keys(page, "+", "+")
    before = page_actions.pixels(page_actions.canvas(page))

    drag(page, 0.1, 0.1)

    assert page_actions.pixels(page_actions.canvas(page)) != before
    assert slider_value(page, "viewer.brightness") == 0
    press_keys(page, "0")
    assert page_actions.pixels(page_actions.canvas(page)) == whole


def test_dragging_changes_brightness_and_contrast_in_window_mode(page: Page) -> None:
    before = page_actions.pixels(page_actions.canvas(page))
    page_actions.press_button(page, ENGLISH["viewer.tool.window"])

    drag(page, 0.2, -0.2)

    assert page_actions.pixels(page_actions.canvas(page)) != before
    assert slider_value(page, "viewer.brightness") == pytest.approx(0.2, abs=0.02)
    assert slider_value(page, "viewer.contrast") > 0.3
    page_actions.press_button(page, ENGLISH["viewer.reset"])
    assert page_actions.pixels(page_actions.canvas(page)) == before


def test_inverting_twice_restores_the_image(page: Page) -> None:
    before = page_actions.pixels(page_actions.canvas(page))

    page_actions.press_button(page, ENGLISH["viewer.invert"])
    page_actions.press_button(page, ENGLISH["viewer.invert"])

    assert page_actions.pixels(page_actions.canvas(page)) == before


def test_arrow_keys_on_the_viewer_do_not_scroll_the_page(visit: Visit) -> None:
    page = visit(reduced_motion="reduce")
    page_actions.analyse(page, CLEAR)
    page_actions.canvas(page).focus()
    before = page.evaluate("scrollY")

    press_keys(page, "ArrowDown", "ArrowDown", "+", "ArrowDown")

    assert page.evaluate("scrollY") == before


def test_pinch_gesture_zooms(visit: Visit) -> None:
    page = visit(has_touch=True)
    page_actions.analyse(page, CLEAR)
    page_actions.canvas(page).tap()
    before = zoom(page)

    pinch(page)

    expect(page.locator("#viewer .zoom")).not_to_have_text(f"{before}%")
    assert zoom(page) == pytest.approx(2 * before, rel=0.1)


def pinch(page: Page) -> None:
    """Moves two fingers apart to twice their distance."""
    box = page_actions.canvas(page).bounding_box()
    assert box is not None
    across, down = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = page.context.new_cdp_session(page)
    for kind, reach in [("touchStart", 40), ("touchMove", 60), ("touchMove", 80)]:
        fingers = [{"x": across + side * reach, "y": down, "id": side + 1} for side in (-1, 1)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_settings_of_the_reader_are_kept_for_the_next_film_which_is_seen_whole(page: Page) -> None:
    (predicted,) = page.locator("fieldset [aria-pressed=true]").all_text_contents()
    other = next(finding for finding in FINDING_NAMES if finding != predicted)
    whole = zoom(page)
    press_keys(page, "+", "+", "h", "3")
    page_actions.press_button(page, ENGLISH["viewer.invert"])
    page_actions.set_slider(page, ENGLISH["viewer.brightness"], 0.4)
    page_actions.set_slider(page, ENGLISH["viewer.opacity"], 0.25)
    page_actions.press_button(page, other)

    page_actions.analyse(page, CLEAR)

    expect(page.locator(".visit")).to_have_count(2)
    expect(page.locator("#viewer .zoom")).to_have_text(f"{whole}%")
    for kept in (ENGLISH["viewer.invert"], other):
        button = page.get_by_role("button", name=kept, exact=True)
        expect(button).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label(ENGLISH["viewer.preset"])).to_have_value("2")
    assert slider_value(page, "viewer.opacity") == 0.25
    assert slider_value(page, "viewer.brightness") == 0  # another exposure


def test_class_that_is_predicted_is_shown_for_each_film_once_it_is_chosen_again(
    visit: Visit,
) -> None:
    page = visit()
    page_actions.analyse(page, CLEAR)
    (first,) = page.locator("fieldset [aria-pressed=true]").all_text_contents()
    press_keys(page, "e")
    page_actions.press_button(page, first)

    page_actions.analyse(page, PATCHES)

    expect(page.locator("fieldset [aria-pressed=true]")).not_to_have_text(first)


def test_sliders_tell_their_values_in_words(page: Page) -> None:
    page_actions.set_slider(page, ENGLISH["viewer.opacity"], 0.25)

    for label, words in {
        "viewer.opacity": "25% opaque",
        "viewer.brightness": "window level 128",
        "viewer.contrast": "window width 255",
    }.items():
        slider = page.get_by_label(ENGLISH[label], exact=True)
        expect(slider).to_have_attribute("aria-valuetext", words)


@pytest.mark.parametrize("size", [(1366, 768), (3840, 2160)])
def test_header_is_as_wide_as_the_film_needs(visit: Visit, size: tuple[int, int]) -> None:
    page = visit(viewport=dict(zip(("width", "height"), size, strict=True)))

    for is_reading in (False, True):
        if is_reading:
            film_actions.open_film(page, CLEAR)
        edges = [page.locator(each).bounding_box() for each in (".brand", "h1", ".bench")]
        assert len({each and each["x"] for each in edges}) == 1


@pytest.mark.parametrize("locale", ["en-US", "pt-BR", "es"])
@pytest.mark.parametrize("width", [360, 1366])
def test_what_a_tool_says_is_not_covered(visit: Visit, locale: str, width: int) -> None:
    page = visit(locale=locale, viewport={"width": width, "height": 768})
    film_actions.open_film(page, CLEAR)

    film_actions.press(page, "l")
    film_actions.click(page, (0.3, 0.4), (0.4, 0.6))

    film_actions.told(page)
    hint, told = (page.locator(f".stage .{each}").bounding_box() for each in ("hint", "told"))
    assert hint and told
    assert hint["y"] + hint["height"] <= told["y"]
