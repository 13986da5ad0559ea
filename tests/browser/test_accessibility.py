"""Accessibility: axe's rules, keyboard use, small screens and reduced motion."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser import page_actions
from tests.browser.conftest import Visit
from tests.browser.page_actions import CLEAR, ENGLISH, HAND, TURNED

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_EXPECTED = "status of 422|ERR_FAILED|AnalysisProblem"
_WIDTH = "document.documentElement.scrollWidth"
_OUTLINE = """() => {
  const focused = document.activeElement;
  const shown = focused.type === "file" ? focused.nextElementSibling : focused;
  const { outlineStyle, outlineWidth } = getComputedStyle(shown);
  return [focused.outerHTML.slice(0, 120), outlineStyle, parseFloat(outlineWidth)];
}"""


LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "forced colours": {"color_scheme": "dark", "forced_colors": "active"},
}


def show_empty_page(page: Page) -> None:
    expect(page.locator(".examples img").first).to_be_visible()


def show_result(page: Page) -> None:
    page_actions.analyse(page, CLEAR)


def show_rejection(page: Page) -> None:
    page_actions.analyse_rejected(page, TURNED)
    expect(page.get_by_role("button", name=ENGLISH["problem.upright"])).to_be_enabled()
    page.locator("#result summary").click()


def show_delete_question(page: Page) -> None:
    page_actions.analyse_rejected(page, HAND)
    page_actions.press_button(page, ENGLISH["history.removeAll"])
    expect(page.get_by_role("dialog")).to_be_visible()


def show_projector(page: Page) -> None:
    page.locator("#projector summary").click()
    expect(page.locator(".filters input")).to_have_count(3)


def show_progress(page: Page) -> None:
    page.route(page_actions.ANALYSES, lambda route: None)
    page_actions.choose_files(page, CLEAR)
    expect(page.locator(".progress")).to_be_visible()


def show_unreachable(page: Page) -> None:
    page.route("**/v1/projection", lambda route: route.abort())
    page.locator("#projector summary").click()
    expect(page.locator("#unreachable")).to_be_visible()


def show_waiting_images(page: Page) -> None:
    page.route(page_actions.ANALYSES, lambda route: None)
    page_actions.choose_files(page, CLEAR, HAND, TURNED)
    expect(page.locator(".visit img")).to_have_count(3)


def show_report(page: Page) -> None:
    page_actions.analyse(page, CLEAR)
    page.evaluate("() => { window.print = () => {}; }")
    page_actions.press_button(page, ENGLISH["result.print"])
    expect(page.locator("#report img")).to_have_count(2)
    page.emulate_media(media="print")
    expect(page.locator("#report")).to_be_visible()


def show_open_details(page: Page) -> None:
    page_actions.analyse(page, CLEAR)
    page.locator("#result summary").click()
    page.locator("#viewer fieldset button").first.click()


STATES = [
    show_empty_page,
    show_waiting_images,
    show_open_details,
    show_progress,
    show_result,
    show_rejection,
    show_delete_question,
    show_projector,
    show_unreachable,
]


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_no_violations(visit: Visit, state: Callable[[Page], None], look: str) -> None:
    page = visit(**LOOKS[look], reduced_motion="reduce", expecting=_EXPECTED)
    state(page)

    found = Axe().run(page, options={"runOnly": RULES, "resultTypes": ["violations"]})

    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("look", ["light", "dark"])
def test_axe_finds_no_violations_on_paper(visit: Visit, look: str) -> None:
    """Without the rules on landmarks, which a printed page does not have."""
    page = visit(**LOOKS[look])
    show_report(page)

    options = {"runOnly": RULES[:-1], "resultTypes": ["violations"]}
    found = Axe().run(page, context="#report", options=options)

    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("locale", ["en-US", "pt-BR"])
def test_page_fits_the_width_of_the_smallest_screen(
    visit: Visit, state: Callable[[Page], None], locale: str
) -> None:
    page = visit(locale=locale, viewport={"width": 320, "height": 640}, expecting=_EXPECTED)
    if locale != "en-US":
        page_actions.use_language(page, "en")
        state(page)
        page.keyboard.press("Escape")
        page_actions.use_language(page, locale)
    else:
        state(page)

    assert page.evaluate(_WIDTH) <= 320


def tab_to(page: Page, selector: str, *, key: str = "Tab", max_presses: int = 80) -> None:
    """Presses Tab, or Shift+Tab, until an element is focused."""
    for _ in range(max_presses):
        page.keyboard.press(key)
        if page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
            return
    raise AssertionError(f"{selector} cannot be reached by Tab")


def test_page_is_usable_with_the_keyboard_alone(visit: Visit) -> None:
    page = visit()
    page.on("filechooser", lambda chooser: chooser.set_files(CLEAR))

    tab_to(page, "[id='intake.pick']")
    page.keyboard.press("Enter")
    page_actions.expect_result(page)
    tab_to(page, "#viewer fieldset button[aria-pressed=false]")
    page.keyboard.press("Enter")
    expect(page.locator("#viewer fieldset button:focus")).to_have_attribute("aria-pressed", "true")
    tab_to(page, "#viewer input[type=range]")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#viewer input[type=range]").first).to_have_value("0.65")
    tab_to(page, "#history > .row button")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=ENGLISH["history.no"])).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#history")).to_be_hidden()


def test_skip_link_is_focused_first_and_moves_focus_to_the_content(visit: Visit) -> None:
    page = visit()

    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.locator("#try")).to_be_focused()


def test_delete_dialog_traps_the_focus_and_restores_it(visit: Visit) -> None:
    page = visit(expecting="status of 422")
    show_delete_question(page)
    expect(page.locator("dialog :focus")).to_have_count(1)

    page.keyboard.press("Escape")

    expect(page.get_by_role("button", name=ENGLISH["history.removeAll"])).to_be_focused()


def test_enter_that_is_pressed_twice_deletes_nothing(visit: Visit) -> None:
    page = visit(expecting="status of 422")
    page_actions.analyse_rejected(page, HAND)
    page.locator("#remove-all").focus()

    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Enter")

    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator(".visit")).to_have_count(1)


def test_focus_is_kept_when_an_entry_is_deleted(visit: Visit) -> None:
    page = visit(expecting="status of 422")
    page_actions.analyse_rejected(page, HAND)
    page_actions.analyse_rejected(page, TURNED)

    for left in (1, 0):
        page.locator(".visit .remove").first.press("Enter")
        expect(page.locator(".visit")).to_have_count(left)

        expect(page.locator(":focus")).to_have_count(1)


def test_focus_is_kept_when_all_entries_are_deleted(visit: Visit) -> None:
    page = visit(expecting="status of 422")
    show_delete_question(page)

    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#history")).to_be_hidden()

    expect(page.locator("#try")).to_be_focused()


def test_focus_is_kept_when_an_analysis_is_cancelled(visit: Visit) -> None:
    page = visit()
    show_progress(page)

    page.get_by_role("button", name=ENGLISH["progress.cancel"]).press("Enter")
    expect(page.locator("#viewer")).to_be_hidden()

    expect(page.locator("#try")).to_be_focused()


def test_focus_is_kept_when_the_image_is_rotated(visit: Visit) -> None:
    page = visit(expecting="status of 422")
    show_rejection(page)

    page.get_by_role("button", name=ENGLISH["problem.upright"]).press("Enter")
    page_actions.expect_result(page)

    expect(page.locator("#try")).to_be_focused()


@pytest.mark.parametrize(("motion", "moving"), [("no-preference", True), ("reduce", False)])
def test_bars_are_animated_unless_reduced_motion_is_preferred(
    visit: Visit, motion: str, moving: bool
) -> None:
    page = visit(reduced_motion=motion)
    grown = "bar => getComputedStyle(bar).animationName"

    page_actions.analyse(page, CLEAR)

    names = {bar.evaluate(grown) for bar in page.locator(".bars .fill").all()}
    assert names == {"grow" if moving else "none"}
    smooth = page.evaluate("getComputedStyle(document.documentElement).scrollBehavior")
    assert (smooth == "smooth") is moving


def test_bars_are_animated_only_once(visit: Visit) -> None:
    page = visit()
    page_actions.analyse(page, CLEAR)

    page_actions.use_language(page, "es")

    assert page.locator(".bars .fill[data-new]").count() == 0


@pytest.mark.parametrize("forced", ["none", "active"])
def test_every_focused_element_has_a_visible_outline(visit: Visit, forced: str) -> None:
    page = visit(forced_colors=forced)
    page_actions.analyse(page, CLEAR)
    page.locator("body").evaluate("body => body.focus()")

    stops = [focus_outline_after_tab(page) for _ in range(page.locator(_STOPS).count())]

    assert len({stop for stop, _, _ in stops}) > 20
    assert [stop for stop, style, width in stops if style == "none" or width < 2] == []


_STOPS = "a[href]:visible, button:visible, input, select:visible, [tabindex='0']:visible"


def focus_outline_after_tab(page: Page) -> Any:
    page.keyboard.press("Tab")
    return page.evaluate(_OUTLINE)


def test_colour_scheme_of_the_device_can_be_overridden(visit: Visit) -> None:
    page = visit(color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)

    page.locator("#scheme").select_option("dark")

    assert page.evaluate(ground) != light
    page.locator("#scheme").select_option("light")
    assert page.evaluate(ground) == light
