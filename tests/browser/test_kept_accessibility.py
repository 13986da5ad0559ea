"""Accessibility of keeping analyses: axe's rules, keyboard use, small screens, and languages."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser import axe, kept_actions, page_actions
from tests.browser.conftest import Visit
from tests.browser.page_actions import ANALYSES, CLEAR, ENGLISH, OPACITY, PATCHES
from tests.browser.test_keyboard import focus_outline_after_tab, tab_to
from tests.browser.test_languages import CODES, texts_of_other_languages

_WIDTH = "document.documentElement.scrollWidth"
_EXPECTED = "status of 401|ERR_FAILED"


def show_list(page: Page) -> None:
    kept_actions.keep(page, CLEAR, PATCHES)
    expect(kept_actions.open_list(page)).to_have_count(2)


def show_question(page: Page) -> None:
    show_list(page)
    page.locator("#kept-remove-all").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def show_failure(page: Page) -> None:
    show_list(page)
    page.route("**/v1/analyses/*", lambda route: route.abort())
    kept_actions.items(page).first.locator(".remove").click()
    expect(page.get_by_role("alert")).to_be_visible()


def show_key_forms(page: Page) -> None:
    show_list(page)
    page.locator("#kept summary").click()
    body = '{"code": "key-required", "status": 401}'
    page.route(ANALYSES, lambda route: route.fulfill(status=401, body=body))
    kept_actions.open_list(page)
    page_actions.choose_files(page, OPACITY)
    expect(page.locator("form.key")).to_have_count(2)


def show_key(page: Page) -> None:
    show_key_forms(page)
    page.unroute(ANALYSES)
    page.locator("#problem-key").evaluate(
        """async () => {
          const { src } = document.querySelector("script[type=module]");
          (await import(new URL("access.js", src))).access.use("cxr_example"); }"""
    )
    expect(page.locator(".key-note button")).to_be_visible()


STATES = [show_list, show_question, show_failure, show_key_forms, show_key]


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_no_violations(visit_kept: Visit, state: Callable[[Page], None]) -> None:
    page = visit_kept(expecting=_EXPECTED, reduced_motion="reduce")
    state(page)

    axe.expect_no_violations_in_any_look(page)


@pytest.mark.parametrize("state", [show_list, show_failure, show_key_forms, show_key])
def test_state_fits_the_smallest_screen_in_every_language(
    visit_kept: Visit, state: Callable[[Page], None]
) -> None:
    page = visit_kept(expecting=_EXPECTED, viewport={"width": 320, "height": 640})
    state(page)

    for name in ("pt", "es", "en"):
        page_actions.use_language(page, CODES[name])

        assert page.evaluate(_WIDTH) <= 320, name
        assert texts_of_other_languages(page, name) == [], name


def test_kept_analyses_are_usable_with_the_keyboard_alone(visit_kept: Visit) -> None:
    page = visit_kept(expecting=_EXPECTED)
    page.on("filechooser", lambda chooser: chooser.set_files([CLEAR, PATCHES]))

    tab_to(page, "#keep")
    page.keyboard.press("Space")
    expect(page.locator("#keep")).to_be_checked()
    tab_to(page, "[id='intake.pick']", key="Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".visit strong")).to_contain_text(["%", "%"])
    tab_to(page, "#kept summary")
    page.keyboard.press("Enter")
    expect(kept_actions.items(page)).to_have_count(2)
    tab_to(page, ".keeping .open")
    page.keyboard.press("Enter")
    expect(page.locator(".keeping").first).to_have_attribute("aria-current", "true")
    expect(page.locator("#result h2")).to_be_focused()
    tab_to(page, ".keeping .remove")
    page.keyboard.press("Enter")
    expect(kept_actions.items(page)).to_have_count(1)
    expect(page.locator(".keeping .open")).to_be_focused()
    tab_to(page, ".keeping .remove")
    page.keyboard.press("Enter")
    expect(kept_actions.items(page)).to_have_count(0)
    expect(page.locator("#kept summary")).to_be_focused()


def test_focus_is_kept_when_all_are_deleted(visit_kept: Visit) -> None:
    page = visit_kept(expecting=_EXPECTED)
    show_question(page)
    expect(page.get_by_role("button", name=ENGLISH["history.no"])).to_be_focused()

    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")

    expect(kept_actions.items(page)).to_have_count(0)
    expect(page.locator("#kept summary")).to_be_focused()


def test_focus_is_kept_when_the_question_is_declined(visit_kept: Visit) -> None:
    page = visit_kept(expecting=_EXPECTED)
    show_question(page)

    page.keyboard.press("Escape")

    expect(page.locator("#kept-remove-all")).to_be_focused()


def test_deletion_is_labelled_with_what_it_deletes(visit_kept: Visit) -> None:
    page = visit_kept(expecting=_EXPECTED)
    show_list(page)
    first = kept_actions.items(page).first

    said = first.locator("strong").inner_text()

    label = ENGLISH["kept.remove"].format(name=said)
    expect(first.locator(".remove")).to_have_accessible_name(re.compile(f"^{re.escape(label)}, "))


@pytest.mark.parametrize("forced", ["none", "active"])
@pytest.mark.parametrize("state", [show_list, show_key_forms])
def test_every_focused_element_has_a_visible_outline(
    visit_kept: Visit, state: Callable[[Page], None], forced: str
) -> None:
    page = visit_kept(expecting=_EXPECTED, forced_colors=forced)
    state(page)
    page.locator("#intake").evaluate("place => place.querySelector('input').focus()")

    stops = [focus_outline_after_tab(page) for _ in range(30)]

    assert any("keep" in stop for stop, _, _ in stops)
    assert [stop for stop, style, width in stops if style == "none" or width < 2] == []
