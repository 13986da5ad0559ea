"""A job is sent once, whatever happens on its way, and is there again after a reload."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser import job_actions, kept_actions, page_actions
from tests.browser.conftest import Visit
from tests.browser.job_actions import NAMES
from tests.browser.page_actions import ENGLISH
from tests.browser.relay import Relay, run_relay
from tests.browser.test_jobs import copies
from tests.service.server import Server

NO_STORAGE = """
const refuse = () => { throw new DOMException("denied", "SecurityError"); };
for (const name of ["localStorage", "sessionStorage"]) {
  Object.defineProperty(window, name, { get: refuse });
}
IDBFactory.prototype.open = refuse;
"""
LOST = "ERR_|status of 50"
NAMES_KEPT = """async () => new Promise((resolve) => {
  const request = indexedDB.open("chestxray-jobs");
  request.onsuccess = () => {
    const names = request.result.transaction("jobs").objectStore("jobs").getAll();
    names.onsuccess = () => { request.result.close(); resolve(names.result); };
  };
})"""


@pytest.fixture
def relay(keeping_server: Server) -> Iterator[Relay]:
    with run_relay(keeping_server.url) as running:
        yield running


def count_of_jobs(page: Page) -> int:
    """Jobs that the service has for this visitor."""
    return len(page.request.get(f"{page.url}v1/jobs").json()["jobs"])


def test_job_goes_on_and_is_shown_again_after_a_reload_in_the_middle(
    visit_kept: Visit, tmp_path: Path
) -> None:
    page = visit_kept()
    copies(tmp_path / "many", 60)

    job = job_actions.send_folder(page, tmp_path / "many")
    expect(job.locator("progress")).to_have_attribute("max", "60")
    kept_actions.reload(page)

    expect(job.locator("h3")).to_have_text("many")
    page_actions.press_button(page, ENGLISH["jobs.results"])
    expect(job_actions.rows(page).first).to_contain_text("film 0.jpg")
    job_actions.expect_finished(page, 60)
    expect(job_actions.rows(page).locator(".outcome")).to_have_text(
        [ENGLISH["finding.no_finding"]] * 50
    )


def test_job_whose_upload_breaks_off_is_sent_again(
    visit: Visit, relay: Relay, tmp_path: Path
) -> None:
    page = visit(relay.url, cookies=kept_actions.COOKIES, expecting=LOST)
    relay.lost_bodies = 2

    job_actions.send_folder(page, job_actions.folder_of_films(tmp_path))

    job_actions.expect_finished(page, len(NAMES))
    assert len(relay.bodies) == 3
    assert count_of_jobs(page) == 1


def test_first_job_whose_answer_is_lost_is_not_sent_again(
    visit: Visit, relay: Relay, tmp_path: Path
) -> None:
    page = visit(relay.url, cookies=kept_actions.COOKIES, expecting=LOST)
    relay.lost_answers = 1

    job_actions.send_folder(page, job_actions.folder_of_films(tmp_path))

    job_actions.expect_finished(page, len(NAMES))
    assert len(relay.bodies) == 1
    assert count_of_jobs(page) == 1


def test_upload_waits_as_long_as_a_busy_service_says(visit_kept: Visit, tmp_path: Path) -> None:
    page = visit_kept(expecting="status of 503")
    busy = {"status": 503, "headers": {"Retry-After": "3"}, "json": {"code": "overloaded"}}
    tried: list[float] = []

    def refuse_once(route: Route) -> None:
        tried.append(page.evaluate("performance.now()"))
        route.continue_() if len(tried) > 1 else route.fulfill(**busy)

    page.route("**/v1/jobs?*", refuse_once)
    job_actions.send_folder(page, job_actions.folder_of_films(tmp_path))

    expect(page.locator(".job-state")).to_have_text(ENGLISH["jobs.upload.pausing"])
    job_actions.expect_finished(page, len(NAMES))
    first, second = tried
    assert 2_900 < second - first < 20_000


def test_upload_that_is_refused_is_said_and_can_be_repeated(
    visit_kept: Visit, tmp_path: Path
) -> None:
    page = visit_kept(expecting="status of 400")
    body = {"code": "malformed-form"}
    page.route("**/v1/jobs?*", lambda route: route.fulfill(status=400, json=body))

    job = job_actions.send_folder(page, job_actions.folder_of_films(tmp_path))

    expect(job.get_by_role("alert")).to_contain_text(ENGLISH["problem.malformed-form.title"])
    page.unroute("**/v1/jobs?*")
    page_actions.press_button(page, ENGLISH["problem.retry"])
    job_actions.expect_finished(page, len(NAMES))


def test_zip_file_that_is_none_is_said_and_can_be_given_up(
    visit_kept: Visit, tmp_path: Path
) -> None:
    page = visit_kept(expecting="status of 400")
    (tmp_path / "no.zip").write_bytes(b"PK no zip file")

    job = job_actions.send_zip(page, tmp_path / "no.zip")

    expect(job.get_by_role("alert")).to_contain_text(ENGLISH["problem.malformed-zip.title"])
    page_actions.press_button(page, ENGLISH["jobs.dismiss"])
    expect(job).to_have_count(0)
    expect(page.locator("#jobs")).to_contain_text(ENGLISH["jobs.empty"])
    assert page.evaluate(NAMES_KEPT) == []


def test_upload_can_be_cancelled(visit: Visit, relay: Relay, tmp_path: Path) -> None:
    page = visit(relay.url, cookies=kept_actions.COOKIES)
    relay.open.clear()

    job = job_actions.send_folder(page, job_actions.folder_of_films(tmp_path))
    expect(job).to_have_count(1)
    page_actions.press_button(page, ENGLISH["progress.cancel"])

    expect(job).to_have_count(0)
    expect(page.locator("#jobs")).to_contain_text(ENGLISH["jobs.empty"])


def test_progress_of_the_upload_is_shown(
    visit: Visit, keeping_server: Server, relay: Relay, tmp_path: Path
) -> None:
    page = visit(relay.url, cookies=kept_actions.COOKIES)
    relay.open.clear()

    job_actions.send_folder(page, job_actions.folder_of_films(tmp_path))
    expect(page.locator(".job-state")).to_have_text(ENGLISH["jobs.upload.storing"])
    relay.open.set()

    job_actions.expect_finished(page, len(NAMES))


def test_jobs_work_where_the_browser_stores_nothing(visit_kept: Visit, tmp_path: Path) -> None:
    page = visit_kept()
    page.add_init_script(NO_STORAGE)
    kept_actions.reload(page)

    job_actions.send_folder(page, job_actions.folder_of_films(tmp_path))
    job_actions.expect_finished(page, len(NAMES))
    expect(job_actions.rows(page).first).to_contain_text(NAMES[0])
    kept_actions.reload(page)
    page.locator("#jobs summary").click()
    page_actions.press_button(page, ENGLISH["jobs.results"])

    film = ENGLISH["jobs.film"].format(number=1)
    expect(job_actions.rows(page).locator("th").first).to_have_text(film)


def test_names_are_deleted_with_the_job(visit_kept: Visit, tmp_path: Path) -> None:
    page = visit_kept()
    job_actions.send_folder(page, job_actions.folder_of_films(tmp_path))
    job_actions.expect_finished(page, len(NAMES))
    assert [each["names"] for each in page.evaluate(NAMES_KEPT)] == [NAMES]

    job_actions.confirm(page, "delete", "no")
    expect(job_actions.jobs(page)).to_have_count(1)
    job_actions.confirm(page, "delete", "yes")

    expect(job_actions.jobs(page)).to_have_count(0)
    expect(page.locator("#announcer")).to_have_text(ENGLISH["jobs.said.deleted"])
    assert page.evaluate(NAMES_KEPT) == []
    assert count_of_jobs(page) == 0


def test_names_of_a_job_that_has_expired_are_deleted(visit_kept: Visit, tmp_path: Path) -> None:
    page = visit_kept()
    job_actions.send_folder(page, job_actions.folder_of_films(tmp_path))
    job_actions.expect_finished(page, len(NAMES))

    page.clock.install()
    kept_actions.reload(page)
    page.clock.fast_forward("25:00:00")
    kept_actions.reload(page)
    page.locator("#jobs summary").click()

    expect(page.locator("#jobs ul")).to_have_attribute("aria-busy", "false")
    page.wait_for_function(f"async () => (await ({NAMES_KEPT})()).length === 0")


def test_cancelled_job_keeps_its_results(visit_kept: Visit, tmp_path: Path) -> None:
    page = visit_kept()
    copies(tmp_path / "many", 150)
    job = job_actions.send_folder(page, tmp_path / "many")
    expect(job.locator(".films tr[data-outcome=no_finding]").first).to_be_visible()

    job_actions.confirm(page, "cancel", "yes")

    expect(page.locator(".job-state")).to_contain_text("Cancelled: ")
    expect(page.locator("#announcer")).to_have_text(ENGLISH["jobs.said.cancelled"])
    expect(job.get_by_role("button", name=ENGLISH["jobs.cancel"])).to_have_count(0)
    page.get_by_role("button", name=f"{ENGLISH['jobs.outcome.cancelled']} ").click()
    expect(job_actions.rows(page).first).to_contain_text(ENGLISH["jobs.outcome.cancelled"])
    page.get_by_role("button", name=f"{ENGLISH['finding.no_finding']} ").click()
    expect(job_actions.rows(page).first).to_contain_text("%")
