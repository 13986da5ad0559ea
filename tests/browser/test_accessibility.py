"""Everyone can use the page: by axe's rules, by keyboard, on small screens, without motion."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser import hands
from tests.browser.conftest import Visit
from tests.browser.hands import CLEAR, ENGLISH, HAND, TURNED

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_EXPECTED = "status of 422|ERR_FAILED|Failed to fetch"
_WIDTH = "document.documentElement.scrollWidth"
_OUTLINE = """() => {
  const focused = document.activeElement;
  const shown = focused.type === "file" ? focused.nextElementSibling : focused;
  const { outlineStyle, outlineWidth } = getComputedStyle(shown);
  return [focused.outerHTML.slice(0, 120), outlineStyle, parseFloat(outlineWidth)];
}"""


def empty(page: Page) -> None:
    expect(page.locator(".examples img").first).to_be_visible()


def read(page: Page) -> None:
    hands.read(page, CLEAR)


def refused(page: Page) -> None:
    hands.read_refused(page, TURNED)
    expect(page.get_by_role("button", name=ENGLISH["problem.upright"])).to_be_enabled()
    page.locator("#result summary").click()


def asked(page: Page) -> None:
    hands.read_refused(page, HAND)
    hands.press(page, ENGLISH["history.removeAll"])
    expect(page.get_by_role("dialog")).to_be_visible()


def projected(page: Page) -> None:
    page.locator("#projector summary").click()
    expect(page.locator(".filters input")).to_have_count(3)


def reading(page: Page) -> None:
    page.route(hands.ANALYSES, lambda route: None)
    hands.pick(page, CLEAR)
    expect(page.locator(".progress")).to_be_visible()


def unreachable(page: Page) -> None:
    page.route("**/v1/projection", lambda route: route.abort())
    page.locator("#projector summary").click()
    expect(page.locator("#unreachable")).to_be_visible()


STATES = [empty, reading, read, refused, asked, projected, unreachable]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(visit: Visit, state: Callable[[Page], None], scheme: str) -> None:
    page = visit(color_scheme=scheme, reduced_motion="reduce", expecting=_EXPECTED)
    state(page)

    found = Axe().run(page, options={"runOnly": RULES, "resultTypes": ["violations"]})

    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("locale", ["en-US", "pt-BR"])
def test_smallest_screen_needs_no_scrolling_sideways(
    visit: Visit, state: Callable[[Page], None], locale: str
) -> None:
    page = visit(locale=locale, viewport={"width": 320, "height": 640}, expecting=_EXPECTED)
    if locale != "en-US":
        hands.use_language(page, "en")
        state(page)
        page.keyboard.press("Escape")
        hands.use_language(page, locale)
    else:
        state(page)

    assert page.evaluate(_WIDTH) <= 320


def tab_to(page: Page, selector: str, *, most: int = 80) -> None:
    """Presses Tab until the focus is there."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
            return
    raise AssertionError(f"{selector} cannot be reached by Tab")


def test_keyboard_alone_is_enough(visit: Visit) -> None:
    page = visit()
    page.on("filechooser", lambda chooser: chooser.set_files(CLEAR))

    tab_to(page, "[id='intake.pick']")
    page.keyboard.press("Enter")
    hands.expect_result(page)
    tab_to(page, "#viewer fieldset button[aria-pressed=false]")
    page.keyboard.press("Enter")
    expect(page.locator("#viewer fieldset button:focus")).to_have_attribute("aria-pressed", "true")
    tab_to(page, "#viewer input[type=range]")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#viewer input[type=range]").first).to_have_value("0.65")
    tab_to(page, "#history > .row button")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#history")).to_be_hidden()


def test_skip_link_is_first_and_leads_to_the_content(visit: Visit) -> None:
    page = visit()

    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.locator("#try")).to_be_focused()


def test_question_keeps_the_focus_and_gives_it_back(visit: Visit) -> None:
    page = visit(expecting="status of 422")
    asked(page)
    expect(page.locator("dialog :focus")).to_have_count(1)

    page.keyboard.press("Escape")

    expect(page.get_by_role("button", name=ENGLISH["history.removeAll"])).to_be_focused()


def test_focus_is_not_lost_where_its_entry_is_deleted(visit: Visit) -> None:
    page = visit(expecting="status of 422")
    hands.read_refused(page, HAND)
    hands.read_refused(page, TURNED)

    for left in (1, 0):
        page.locator(".visit .remove").first.press("Enter")
        expect(page.locator(".visit")).to_have_count(left)

        expect(page.locator(":focus")).to_have_count(1)


def test_focus_is_not_lost_where_all_entries_are_deleted(visit: Visit) -> None:
    page = visit(expecting="status of 422")
    asked(page)

    page.keyboard.press("Enter")
    expect(page.locator("#history")).to_be_hidden()

    expect(page.locator("#try")).to_be_focused()


def test_focus_is_not_lost_where_the_reading_is_cancelled(visit: Visit) -> None:
    page = visit()
    reading(page)

    page.get_by_role("button", name=ENGLISH["progress.cancel"]).press("Enter")
    expect(page.locator("#viewer")).to_be_hidden()

    expect(page.locator("#try")).to_be_focused()


def test_focus_is_not_lost_where_the_film_is_turned(visit: Visit) -> None:
    page = visit(expecting="status of 422")
    refused(page)

    page.get_by_role("button", name=ENGLISH["problem.upright"]).press("Enter")
    hands.expect_result(page)

    expect(page.locator("#try")).to_be_focused()


@pytest.mark.parametrize(("motion", "moving"), [("no-preference", True), ("reduce", False)])
def test_bars_grow_unless_the_visitor_wants_no_motion(
    visit: Visit, motion: str, moving: bool
) -> None:
    page = visit(reduced_motion=motion)
    grown = "bar => getComputedStyle(bar).animationName"

    hands.read(page, CLEAR)

    names = {bar.evaluate(grown) for bar in page.locator(".bars .fill").all()}
    assert names == {"grow" if moving else "none"}
    smooth = page.evaluate("getComputedStyle(document.documentElement).scrollBehavior")
    assert (smooth == "smooth") is moving


def test_bars_grow_only_once(visit: Visit) -> None:
    page = visit()
    hands.read(page, CLEAR)

    hands.use_language(page, "es")

    assert page.locator(".bars .fill[data-new]").count() == 0


@pytest.mark.parametrize("forced", ["none", "active"])
def test_focus_is_seen_wherever_it_goes(visit: Visit, forced: str) -> None:
    page = visit(forced_colors=forced)
    hands.read(page, CLEAR)
    page.locator("body").evaluate("body => body.focus()")

    stops = [outline_after_tab(page) for _ in range(page.locator(_STOPS).count())]

    assert len({stop for stop, _, _ in stops}) > 20
    assert [stop for stop, style, width in stops if style == "none" or width < 2] == []


_STOPS = "a[href]:visible, button:visible, input, select:visible, [tabindex='0']:visible"


def outline_after_tab(page: Page) -> Any:
    page.keyboard.press("Tab")
    return page.evaluate(_OUTLINE)


def test_scheme_can_be_chosen_against_the_device(visit: Visit) -> None:
    page = visit(color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)

    page.locator("#scheme").select_option("dark")

    assert page.evaluate(ground) != light
    page.locator("#scheme").select_option("light")
    assert page.evaluate(ground) == light
