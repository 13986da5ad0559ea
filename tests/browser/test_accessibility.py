"""Accessibility: axe's rules in every state, small screens, reduced motion and colour schemes."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser import axe, film_actions, page_actions
from tests.browser.conftest import Visit
from tests.browser.page_actions import CLEAR, ENGLISH, HAND, PATCHES, TURNED

EXPECTED = "status of 422|ERR_FAILED|AnalysisProblem"
_WIDTH = "document.documentElement.scrollWidth"


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


def show_open_details(page: Page) -> None:
    page_actions.analyse(page, CLEAR)
    page.locator("#result summary").click()
    page.locator("#viewer fieldset button").first.click()


def show_compared_and_measured_films(page: Page) -> None:
    film_actions.open_film(page, CLEAR, PATCHES)
    page.get_by_label(ENGLISH["viewer.compare"]).select_option(index=1)
    expect(page.locator(".stage .caption:visible")).to_have_count(2)
    film_actions.press(page, "l")
    film_actions.click(page, (0.3, 0.4), (0.4, 0.6))
    expect(page.locator(".stage .told")).to_be_visible()


def show_full_screen(page: Page) -> None:
    film_actions.open_film(page, CLEAR)
    film_actions.press(page, "f")
    expect(page.get_by_role("dialog", name=ENGLISH["viewer.room"])).to_be_visible()


def show_keys(page: Page) -> None:
    film_actions.open_film(page, CLEAR)
    film_actions.press(page, "?")
    expect(page.get_by_role("dialog", name=ENGLISH["viewer.keys"])).to_be_visible()


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
    show_compared_and_measured_films,
    show_full_screen,
    show_keys,
]


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_no_violations(visit: Visit, state: Callable[[Page], None]) -> None:
    page = visit(reduced_motion="reduce", expecting=EXPECTED)
    state(page)

    axe.expect_no_violations_in_any_look(page)


def test_axe_finds_no_violations_on_paper(visit: Visit) -> None:
    page = visit()
    show_report(page)

    axe.expect_no_violations_on_paper(page, "#report")


@pytest.mark.parametrize("state", STATES)
def test_page_fits_the_width_of_the_smallest_screen(
    visit: Visit, state: Callable[[Page], None]
) -> None:
    page = visit(viewport={"width": 320, "height": 640}, expecting=EXPECTED)
    state(page)
    assert page.evaluate(_WIDTH) <= 320

    page.keyboard.press("Escape")
    for code in ("pt-BR", "es"):
        page_actions.use_language(page, code)

        assert page.evaluate(_WIDTH) <= 320


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


def test_colour_scheme_of_the_device_can_be_overridden(visit: Visit) -> None:
    page = visit(color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)

    page.locator("#scheme").select_option("dark")

    assert page.evaluate(ground) != light
    page.locator("#scheme").select_option("light")
    assert page.evaluate(ground) == light
