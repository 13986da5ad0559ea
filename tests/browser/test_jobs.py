"""A folder, a zip file or many films are sent as a job, and its results are shown."""

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from bentos.settings import Settings
from tests.browser import job_actions, kept_actions, page_actions
from tests.browser.conftest import Visit
from tests.browser.job_actions import NAMES
from tests.browser.page_actions import CLEAR, ENGLISH, TURNED, texts
from tests.browser.relay import run_relay
from tests.service.server import Server

FEW = Settings().max_images_per_batch
FILTER = "verdict.other_xray.title"
FORMAT = "problem.unsupported-format.title"


def copies(place: Path, count: int) -> list[Path]:
    """So many films."""
    place.mkdir(exist_ok=True)
    return [Path(shutil.copy(CLEAR, place / f"film {number}.jpg")) for number in range(count)]


def test_films_of_a_folder_have_a_result_or_a_problem_each_in_order(
    visit_kept: Visit, tmp_path: Path
) -> None:
    page = visit_kept()

    job = job_actions.send_folder(page, job_actions.folder_of_films(tmp_path))

    job_actions.expect_finished(page, len(NAMES))
    expect(job.locator("h3")).to_have_text("ward")
    rows = job_actions.rows(page)
    expect(rows.locator("th")).to_have_text([re.compile(f"{name}$") for name in NAMES])
    verdicts = [re.compile("[Oo]pacity|COVID|Indeterminate"), ENGLISH[FILTER], ENGLISH[FORMAT]]
    expect(rows.locator(".outcome")).to_have_text([*verdicts, verdicts[0], verdicts[0]])
    expect(rows.nth(0).locator("td[data-name]")).to_have_text([re.compile(r"^\d+\.\d%$")] * 3)
    expect(rows.nth(2)).to_contain_text(ENGLISH["problem.unsupported-format.text.advice"])


def test_films_of_a_zip_file_are_shown_by_their_names(visit_kept: Visit, tmp_path: Path) -> None:
    page = visit_kept()
    sent = job_actions.posts_of_jobs(page)

    job = job_actions.send_zip(page, job_actions.zip_of_films(tmp_path))

    job_actions.expect_finished(page, len(NAMES))
    expect(job.locator("h3")).to_have_text("night.zip")
    named = [re.compile(f"ward/{name}$") for name in NAMES]
    expect(job_actions.rows(page).locator("th")).to_have_text(named)
    assert [each.headers["content-type"] for each in sent] == ["application/zip"]


def test_names_of_files_are_not_sent(visit: Visit, keeping_server: Server, tmp_path: Path) -> None:
    with run_relay(keeping_server.url) as relay:
        page = visit(relay.url, cookies=kept_actions.COOKIES)
        asked: list[str] = []
        page.on("request", lambda each: asked.append(each.url))

        job_actions.send_folder(page, job_actions.folder_of_films(tmp_path))
        job_actions.expect_finished(page, len(NAMES))

        assert sum(CLEAR.read_bytes() in body for body in relay.bodies) == 1
        said = b"".join(relay.bodies) + "".join(asked).encode()
        assert not [name for name in ("ward", *NAMES) if name.encode() in said]


def test_dropped_folder_is_read_with_what_is_below_it(visit_kept: Visit, tmp_path: Path) -> None:
    folder = job_actions.folder_of_films(tmp_path)
    copies(folder / "deep", 120)  # more than a browser lists at once
    page = visit_kept()

    page_actions.drop(page, folder)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(re.compile(rf"Files: {len(NAMES) + 120}, "))
    job_actions.answer(page, "jobs.offer.send")

    rows = job_actions.rows(page)
    expect(rows.nth(1)).to_contain_text("deep/film 0.jpg")
    expect(rows.nth(11)).to_contain_text("deep/film 10.jpg")
    page.reload()  # a job goes on without the page
    expect(job_actions.jobs(page)).to_contain_text("ward")


def test_question_says_what_is_stored_where_how_long_and_how_to_delete_it(
    visit_keeping: Visit, tmp_path: Path
) -> None:
    folder = job_actions.folder_of_films(tmp_path)
    for language, locale in (("en", "en-US"), ("pt", "pt-BR"), ("es", "es")):
        page, said = visit_keeping(locale=locale), texts(language)
        sent = job_actions.posts_of_jobs(page)

        job_actions.choose_folder(page, folder)

        dialog = page.get_by_role("dialog", name=said["jobs.offer.title"])
        hours = {"en": "24 hours", "pt": "24 horas", "es": "24 horas"}[language]
        for text in (
            said["jobs.offer.what"],
            said["keep.whereCookie"],
            said["jobs.offer.untilCookie"].format(time=hours),
            said["jobs.offer.namesText"],
            said["jobs.offer.deletion"],
        ):
            expect(dialog).to_contain_text(text)
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        assert sent == []


def test_only_more_than_a_few_files_are_offered_as_a_job(visit_kept: Visit, tmp_path: Path) -> None:
    page = visit_kept()
    sent = job_actions.posts_of_jobs(page)
    films = copies(tmp_path, FEW + 1)
    count = ENGLISH["jobs.hint"].format(count=FEW)
    expect(page.locator("#intake")).to_contain_text(count)

    page_actions.choose_files(page, *films[:2])
    expect(page.locator(".visit strong")).to_contain_text(["%", "%"])
    page_actions.choose_files(page, *films)
    expect(page.locator("dialog.offer")).to_contain_text(f"Files: {FEW + 1}, ")
    job_actions.answer(page, "jobs.offer.cancel")
    assert sent == []
    page_actions.choose_files(page, *films)
    job_actions.answer(page, "jobs.offer.send")

    job_actions.expect_finished(page, FEW + 1)
    expect(page.locator(".visit")).to_have_count(2)


def test_films_of_a_folder_can_be_read_by_the_page_instead(
    visit_keeping: Visit, tmp_path: Path
) -> None:
    page = visit_keeping()
    sent = job_actions.posts_of_jobs(page)
    (tmp_path / "few").mkdir()
    shutil.copy(CLEAR, tmp_path / "few" / "one.jpg")

    job_actions.choose_folder(page, tmp_path / "few")
    job_actions.answer(page, "jobs.offer.here")

    page_actions.expect_result(page)
    expect(page.locator(".visit")).to_contain_text("one.jpg")
    assert sent == []


def test_advice_for_a_turned_film_shows_no_picture(visit_kept: Visit, tmp_path: Path) -> None:
    page = visit_kept()
    (tmp_path / "turned").mkdir()
    shutil.copy(TURNED, tmp_path / "turned")

    job_actions.send_folder(page, tmp_path / "turned")

    row = job_actions.rows(page)
    expect(row).to_contain_text(ENGLISH["verdict.rotated_90.title"])
    expect(row).to_contain_text(ENGLISH["jobs.advice.rotated_90"])


def test_nothing_is_offered_where_the_service_keeps_nothing(visit: Visit, tmp_path: Path) -> None:
    page = visit(expecting="status of 415")
    expect(page.locator("#jobs")).to_be_hidden()
    expect(page.locator("#intake")).not_to_contain_text(ENGLISH["jobs.pickFolder"])
    expect(page.locator("#intake input")).to_have_count(3)  # two pickers and the tick for originals

    page_actions.choose_files(page, job_actions.zip_of_films(tmp_path))

    advice = ENGLISH["problem.unsupported-format.ZIP.advice"]
    expect(page.locator("#result")).to_contain_text(advice)
    expect(page.locator("dialog.offer")).to_have_count(0)


def test_nothing_is_sent_where_the_visitor_could_not_see_it(
    visit_keeping: Visit, tmp_path: Path
) -> None:
    page = visit_keeping()
    hidden = "Object.defineProperty(Navigator.prototype, 'cookieEnabled', { get: () => false })"
    page.evaluate(hidden)

    job_actions.choose_folder(page, job_actions.folder_of_films(tmp_path))

    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(ENGLISH["keep.blocked"])
    expect(dialog.get_by_role("button", name=ENGLISH["jobs.offer.send"])).to_have_count(0)


def test_films_that_are_too_large_are_named_and_left_out(visit_kept: Visit, tmp_path: Path) -> None:
    page = visit_kept()
    lower_limits(page, max_image_bytes=24_300)

    job_actions.choose_folder(page, job_actions.folder_of_films(tmp_path))
    expect(page.get_by_role("dialog")).to_contain_text(
        "2 (ward/opacity 3.jpg, ward/patches 10.jpg)"
    )
    job_actions.answer(page, "jobs.offer.send")

    job_actions.expect_finished(page, 3)


def test_zip_file_that_is_too_large_is_not_sent(visit_keeping: Visit, tmp_path: Path) -> None:
    page = visit_keeping()
    lower_limits(page, max_job_bytes=40_000)

    job_actions.choose_zip(page, job_actions.zip_of_films(tmp_path))

    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("The zip file night.zip is larger than")
    expect(dialog.get_by_role("button")).to_have_text([ENGLISH["jobs.offer.cancel"]])


@pytest.mark.parametrize("limit", [{"max_job_images": 2}, {"max_job_bytes": 45_000}])
def test_large_folder_is_divided_among_jobs(
    visit_kept: Visit, tmp_path: Path, limit: dict[str, int]
) -> None:
    page = visit_kept()
    lower_limits(page, **limit)

    job_actions.choose_folder(page, job_actions.folder_of_films(tmp_path))
    expect(page.get_by_role("dialog")).to_contain_text("They become 3 jobs")
    job_actions.answer(page, "jobs.offer.send")

    heads = job_actions.jobs(page).locator("h3")
    expect(heads).to_have_text(["ward 3/3", "ward 2/3", "ward 1/3"])
    last = job_actions.jobs(page).first
    expect(last.locator(".films th")).to_contain_text(["File", "Result", "", "", "", NAMES[4]])


def lower_limits(page: Page, **limits: int) -> None:
    """Lets the page believe in lower limits."""

    def lower(route: Route) -> None:
        text = route.fetch().text()
        for name, value in limits.items():
            text, count = re.subn(rf'"{name}": \d+', f'"{name}": {value}', text)
            assert count == 1
        route.fulfill(body=text, content_type="text/html")

    page.route(page.url, lower)
    kept_actions.reload(page)
