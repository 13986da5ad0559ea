"""The page is used with the keyboard alone, and the focus is visible and never lost."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import page_actions
from tests.browser.conftest import Visit
from tests.browser.page_actions import CLEAR, ENGLISH, HAND, TURNED
from tests.browser.test_accessibility import show_delete_question, show_progress, show_rejection

_OUTLINE = """() => {
  const focused = document.activeElement;
  const shown = focused.type === "file" ? focused.nextElementSibling : focused;
  const { outlineStyle, outlineWidth } = getComputedStyle(shown);
  return [focused.outerHTML.slice(0, 120), outlineStyle, parseFloat(outlineWidth)];
}"""
_STOPS = "a[href]:visible, button:visible, input, select:visible, [tabindex='0']:visible"


def tab_to(page: Page, selector: str, *, key: str = "Tab", max_presses: int = 80) -> None:
    """Presses Tab, or Shift+Tab, until an element is focused."""
    for _ in range(max_presses):
        page.keyboard.press(key)
        if page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
            return
    raise AssertionError(f"{selector} cannot be reached by Tab")


def use_result_by_keyboard(page: Page) -> None:
    """Looks at another class, fades its map, and deletes everything."""
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


def test_page_is_usable_with_the_keyboard_alone(visit: Visit) -> None:
    page = visit()
    page.on("filechooser", lambda chooser: chooser.set_files(CLEAR))

    tab_to(page, "[id='intake.pick']")
    page.keyboard.press("Enter")
    use_result_by_keyboard(page)
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


@pytest.mark.parametrize("forced", ["none", "active"])
def test_every_focused_element_has_a_visible_outline(visit: Visit, forced: str) -> None:
    page = visit(forced_colors=forced)
    page_actions.analyse(page, CLEAR)
    page.locator("body").evaluate("body => body.focus()")

    stops = [focus_outline_after_tab(page) for _ in range(page.locator(_STOPS).count())]

    assert len({stop for stop, _, _ in stops}) > 20
    assert [stop for stop, style, width in stops if style == "none" or width < 2] == []


def focus_outline_after_tab(page: Page) -> Any:
    page.keyboard.press("Tab")
    return page.evaluate(_OUTLINE)
