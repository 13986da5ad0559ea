"""The order of the focus is that in which the page is read, at every width."""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser import page_actions
from tests.browser.conftest import Visit
from tests.browser.page_actions import CLEAR, HAND
from tests.browser.test_accessibility import show_empty_page, show_projector, show_rejection

_SCROLLED = """async () => {
  let last = NaN, same = 0;
  while (same < 10) {
    await new Promise(requestAnimationFrame);
    same = scrollY === last ? same + 1 : 0;
    last = scrollY;
  }
}"""
SCREENS: dict[str, ViewportSize] = {
    "phone": {"width": 360, "height": 740},
    "768 at 200%": {"width": 384, "height": 512},
    "tablet": {"width": 768, "height": 1024},
    "laptop": {"width": 1366, "height": 768},
    "desktop": {"width": 1920, "height": 1080},
}
_STOP = """() => {
  const focused = document.activeElement;
  const shown = focused.type === "file" ? focused.nextElementSibling : focused;
  const { left, top, right, bottom } = shown.getBoundingClientRect();
  return [focused.outerHTML.slice(0, 90), left, top + scrollY, right, bottom + scrollY];
}"""
_PRECEDES = """(one, other) => Boolean(
  one.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING)"""
_ROUNDING = 2


class Stop(NamedTuple):
    """What Tab reaches, with its place in the document."""

    what: str
    left: float
    top: float
    right: float
    bottom: float


def goes_back(one: Stop, other: Stop) -> bool:
    """Whether a reader of lines from left to right would have met the other before."""
    is_above = other.bottom <= one.top + _ROUNDING
    is_left = other.right <= one.left + _ROUNDING
    is_right = other.left >= one.right - _ROUNDING
    is_below = other.top >= one.bottom - _ROUNDING
    return (is_above and not is_right) or (is_left and not is_below)


def stops(page: Page) -> list[Stop]:
    """All that Tab reaches, from the start of the page to its end."""
    page.locator("body").evaluate("body => { body.tabIndex = -1; body.focus(); }")
    found: list[Stop] = []
    while True:
        page.keyboard.press("Tab")
        stop = Stop(*page.evaluate(_STOP))
        if stop.what.startswith("<body") or stop.what in {each.what for each in found[:1]}:
            return found
        found.append(stop)
        assert len(found) < 150


def show_result_and_history(page: Page) -> None:
    page_actions.analyse(page, CLEAR)
    page_actions.analyse_rejected(page, HAND)
    page.locator(".visit .open").last.click()
    page_actions.expect_result(page)


STATES = [show_empty_page, show_result_and_history, show_rejection, show_projector]


@pytest.mark.parametrize("state", STATES)
def test_focus_follows_the_lines_of_the_page(visit: Visit, state: Callable[[Page], None]) -> None:
    page = visit(expecting="status of 422", reduced_motion="reduce")
    state(page)

    for screen, size in SCREENS.items():
        page.set_viewport_size(size)
        found = stops(page)

        assert len(found) > 15
        assert [
            (screen, one.what, other.what)
            for one, other in pairwise(found[1:])
            if goes_back(one, other)
        ] == []


def test_result_is_read_before_the_controls_of_the_film(visit: Visit) -> None:
    page = visit()
    page_actions.analyse(page, CLEAR)
    title = page.locator("#result h2")
    controls = page.locator("#viewer fieldset button:visible").first

    assert title.evaluate(_PRECEDES, controls.element_handle())
    for screen, size in SCREENS.items():
        page.set_viewport_size(size)

        title_box, controls_box = title.bounding_box(), controls.bounding_box()
        assert title_box and controls_box
        assert title_box["y"] < controls_box["y"], screen


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_opening_an_entry_scrolls_to_its_result_and_focuses_it(visit: Visit, motion: str) -> None:
    page = visit(expecting="status of 422", reduced_motion=motion)
    page_actions.analyse(page, CLEAR)
    page_actions.analyse_rejected(page, HAND)
    title = page.locator("#result h2")

    for size in SCREENS.values():
        page.set_viewport_size(size)
        page.locator(".visit .open").first.press("Enter")
        page.evaluate(_SCROLLED)
        page.locator("#history").scroll_into_view_if_needed()
        page.evaluate(_SCROLLED)
        page.locator(".visit .open").last.press("Enter")

        expect(title).to_be_focused()
        expect(title).to_be_in_viewport()
        page_actions.expect_result(page)


@pytest.mark.parametrize("count", [1, 2])
def test_answer_to_an_image_that_is_added_on_a_phone_is_in_view(visit: Visit, count: int) -> None:
    page = visit(viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)

    for number, name in enumerate(("patches", "opacity")[:count], start=1):
        page_actions.click_example(page, name)
        expect(page.locator(".visit")).to_have_count(number)
        page_actions.expect_result(page)
        expect(page.locator("#result h2")).to_be_in_viewport()
