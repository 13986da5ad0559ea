"""Accessibility of jobs: axe's rules, keyboard use, small screens, and languages."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import axe, job_actions, page_actions
from tests.browser.conftest import Visit
from tests.browser.job_actions import NAMES
from tests.browser.page_actions import ENGLISH
from tests.browser.test_keyboard import focus_outline_after_tab, tab_to
from tests.browser.test_languages import CODES, texts_of_other_languages

_WIDTH = "document.documentElement.scrollWidth"
_EXPECTED = "status of 40[01]"
State = Callable[[Page, Path], None]


def show_question(page: Page, place: Path) -> None:
    job_actions.choose_folder(page, job_actions.folder_of_films(place))
    expect(page.get_by_role("dialog")).to_be_visible()


def show_results(page: Page, place: Path) -> None:
    job_actions.send_folder(page, job_actions.folder_of_films(place))
    job_actions.expect_finished(page, len(NAMES))
    expect(job_actions.rows(page).locator("td[data-name]")).to_have_count(9)


def show_failures(page: Page, place: Path) -> None:
    show_results(page, place)
    page.route("**/v1/jobs", lambda route: route.fulfill(status=401, json={"code": "invalid-key"}))
    job_actions.send_zip(page, job_actions.zip_of_films(place / "again"))
    expect(page.locator(".job form.key")).to_be_visible()


def show_progress(page: Page, place: Path) -> None:
    show_results(page, place)
    page.route("**/v1/jobs?*", lambda route: None)
    job_actions.send_zip(page, job_actions.zip_of_films(place / "again"))
    expect(page.locator(".job progress")).to_be_visible()


STATES: list[State] = [show_question, show_results, show_failures, show_progress]


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_no_violations(visit_jobs: Visit, tmp_path: Path, state: State) -> None:
    page = visit_jobs(state, reduced_motion="reduce")
    state(page, tmp_path)

    axe.expect_no_violations_in_any_look(page)


@pytest.mark.parametrize("state", STATES[1:])
def test_state_fits_the_smallest_screen_in_every_language(
    visit_jobs: Visit, tmp_path: Path, state: State
) -> None:
    page = visit_jobs(state, viewport={"width": 320, "height": 640})
    state(page, tmp_path)

    for name in ("pt", "es", "en"):
        page_actions.use_language(page, CODES[name])

        assert page.evaluate(_WIDTH) <= 320, name
        assert texts_of_other_languages(page, name) == [], name


def test_jobs_are_usable_with_the_keyboard_alone(visit_jobs: Visit, tmp_path: Path) -> None:
    folder = job_actions.folder_of_films(tmp_path)
    page = visit_jobs(show_results)
    page.on("filechooser", lambda chooser: chooser.set_files(folder))

    tab_to(page, "[id='jobs.pickFolder']")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=ENGLISH["jobs.offer.send"])).to_be_focused()
    page.keyboard.press("Enter")
    job_actions.expect_finished(page, len(NAMES))
    expect(job_actions.rows(page).locator("td[data-name]")).to_have_count(9)
    tab_to(page, "[id^=job-refused]")
    page.keyboard.press("Enter")
    expect(job_actions.rows(page)).to_have_count(2)
    expect(page.locator("[id^=job-refused]")).to_be_focused()
    tab_to(page, "[id^=job-order]")
    page.keyboard.press("ArrowDown")
    expect(page.locator("[id^=job-order]")).to_have_value("name")
    tab_to(page, "[id^=job-delete]")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=ENGLISH["jobs.delete.no"])).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(job_actions.jobs(page)).to_have_count(0)
    expect(page.locator("#jobs summary")).to_be_focused()


def test_focus_stays_while_results_come(visit_jobs: Visit, tmp_path: Path) -> None:
    page = visit_jobs(show_results)
    job_actions.send_folder(page, job_actions.folder_of_films(tmp_path))
    every = page.locator("[id^=job-all]")

    every.focus()
    job_actions.expect_finished(page, len(NAMES))
    expect(job_actions.rows(page).locator("td[data-name]")).to_have_count(9)

    expect(every).to_be_focused()


def test_progress_is_said_to_those_who_do_not_see_it(visit_jobs: Visit, tmp_path: Path) -> None:
    page = visit_jobs(show_results)
    page_actions.listen(page)

    show_results(page, tmp_path)

    said = page_actions.said(page)
    assert said[0] == ENGLISH["jobs.said.sent"]
    assert said[-1] == ENGLISH["jobs.said.finished"]
    bar = ENGLISH["jobs.state.finished"].format(done=len(NAMES), total=len(NAMES))
    expect(page.locator(".job")).to_contain_text(bar)


@pytest.mark.parametrize("forced", ["none", "active"])
def test_every_focused_element_has_a_visible_outline(
    visit_jobs: Visit, tmp_path: Path, forced: str
) -> None:
    page = visit_jobs(show_results, forced_colors=forced)
    show_results(page, tmp_path)
    page.locator("#jobs summary").focus()

    stops = [focus_outline_after_tab(page) for _ in range(10)]

    assert any("job-delete" in stop for stop, _, _ in stops)
    assert [stop for stop, style, width in stops if style == "none" or width < 2] == []


@pytest.fixture
def visit_jobs(visit_keeping: Visit) -> Visit:
    """Opens the page where a job will be sent, unless the state has none."""

    def start(state: State, **options: object) -> Page:
        cookies = [] if state is show_question else ["chestxray_visitor"]
        return visit_keeping(cookies=cookies, expecting=_EXPECTED, **options)

    return start
