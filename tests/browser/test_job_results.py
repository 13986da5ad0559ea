"""The films of a job are counted, filtered, sorted and saved; thousands are shown in pages."""

import csv
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser import job_actions, page_actions
from tests.browser.conftest import Visit
from tests.browser.job_actions import NAMES
from tests.browser.page_actions import CLEAR, ENGLISH, texts
from tests.browser.test_languages import CODES, LANGUAGES

_SEE = """hidden => {
  Object.defineProperty(document, "hidden", { get: () => hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
_BROKEN_WORDS = r"""() => {
  const words = [];
  for (const cell of document.querySelectorAll(".films td")) {
    const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode())
      for (const { 0: word, index } of node.data.matchAll(/\S+/g)) {
        const range = document.createRange();
        range.setStart(node, index);
        range.setEnd(node, index + word.length);
        const tops = [...range.getClientRects()].map(({ top }) => Math.round(top));
        if (new Set(tops).size > 1) words.push(word);
      }
  }
  return words;
}"""
MANY, ROWS = 5_000, 50
"""Films of a large job, and rows of the table."""
JOB = {
    "id": "many",
    "state": "finished",
    "created_at": "2026-01-31T12:00:00Z",
    "expires_at": "2099-01-31T12:00:00Z",
    "total": MANY,
    "done": MANY,
}


def item(position: int) -> dict[str, Any]:
    """Every third film has a problem; the probability of COVID-19 rises with the position."""
    if position % 3 == 2:
        result: dict[str, Any] = {"code": "blank-image", "status": 422, "detail": "blank"}
    else:
        covid19 = 0.8 + position / (10 * MANY)
        shares = {"no_finding": 0.0, "lung_opacity": 1 - covid19, "covid19": covid19}
        result = {"prediction": {"label": "covid19", "probabilities": shares}, "disclaimer": "No."}
    return {"position": position, "state": "done", "digest": "0" * 64, "result": result}


def answer_results(route: Route) -> None:
    """Answers one page of the results of a large job."""
    begin = int(parse_qs(urlsplit(route.request.url).query)["begin"][0])
    end = min(MANY, begin + 100)
    body = {"items": [item(each) for each in range(begin, end)]}
    route.fulfill(json=body | {"next": end if end < MANY else None})


@pytest.fixture
def many(visit_keeping: Visit) -> Page:
    """A page that shows a job of thousands of films."""
    page = visit_keeping()
    page.route("**/v1/jobs", lambda route: route.fulfill(json={"jobs": [JOB]}))
    page.route("**/v1/jobs/many/results?*", answer_results)
    page.locator("#jobs summary").click()
    page_actions.press_button(page, ENGLISH["jobs.results"])
    expect(count(page, ENGLISH["jobs.outcome.refused"])).to_have_text("1,666")
    return page


def count(page: Page, outcome: str) -> Any:
    return page.locator(".job-films fieldset button", has_text=outcome).locator(".count")


def order(page: Page, text: str) -> None:
    page.locator("[id^=job-order]").select_option(text)


def save(page: Page, key: str) -> tuple[str, str]:
    """Saves a job's results; returns the file's name and text."""
    with page.expect_download() as saved:
        page_actions.press_button(page, ENGLISH[key])
    return saved.value.suggested_filename, Path(saved.value.path()).read_text("utf-8")


def test_thousands_of_films_are_shown_in_pages(many: Page) -> None:
    rows = job_actions.rows(many)
    expect(rows).to_have_count(ROWS)
    expect(count(many, ENGLISH["jobs.all"])).to_have_text("5,000")

    page_actions.press_button(many, ENGLISH["jobs.after"])

    expect(rows).to_have_count(ROWS)
    expect(rows.locator("th").first).to_have_text("Film 51")
    expect(many.locator(".pager")).to_contain_text("51 to 100 of 5,000")
    page_actions.press_button(many, ENGLISH["jobs.before"])
    expect(rows.locator("th").first).to_have_text("Film 1")
    expect(many.get_by_role("button", name=ENGLISH["jobs.before"])).to_be_disabled()


def test_films_are_filtered_and_sorted(many: Page) -> None:
    rows = job_actions.rows(many)

    many.locator(".job-films fieldset button", has_text=ENGLISH["jobs.outcome.refused"]).click()
    expect(rows.locator("th").first).to_have_text("Film 3")
    expect(rows.locator(".outcome")).to_have_text([ENGLISH["problem.blank-image.title"]] * ROWS)
    many.locator(".job-films fieldset button", has_text="COVID-19").click()
    order(many, "COVID-19: highest first")
    expect(rows.locator("th")).to_contain_text(["Film 4,999", "Film 4,997"])
    order(many, f"{ENGLISH['finding.lung_opacity']}: highest first")
    expect(rows.locator("th")).to_contain_text(["Film 1", "Film 2"])
    order(many, ENGLISH["jobs.sort.outcome"])
    many.locator(".job-films fieldset button", has_text=ENGLISH["jobs.all"]).click()
    expect(rows.first).to_have_attribute("data-outcome", "covid19")


def test_results_are_saved_as_csv_and_json(visit_kept: Visit, tmp_path: Path) -> None:
    page = visit_kept()
    folder = job_actions.folder_of_films(tmp_path)
    shutil.copy(CLEAR, folder / '=1+1 "x", y.jpg')
    job_actions.send_folder(page, folder)
    job_actions.expect_finished(page, len(NAMES) + 1)

    name, text = save(page, "jobs.csv")
    lines = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    _, said = save(page, "jobs.json")
    saved = json.loads(said)

    assert re.fullmatch(r"chestxray-\d{4}-\d\d-\d\d\.csv", name)
    assert [each["file"] for each in lines] == ['\'=1+1 "x", y.jpg', *NAMES]
    assert lines[3]["problem"] == "unsupported-format"
    assert lines[0]["outcome"] == lines[1]["outcome"] == "no_finding"
    assert 0.5 < float(lines[1]["no_finding"]) < 1
    assert len(lines[1]["sha256"]) == 64
    assert "Research use only" in lines[1]["disclaimer"]
    assert [each["file"] for each in saved["items"]] == ['=1+1 "x", y.jpg', *NAMES]
    assert saved["items"][3]["result"]["code"] == "unsupported-format"
    assert saved["state"] == "finished"


def test_only_what_is_new_is_asked_for_while_a_job_goes_on(visit_keeping: Visit) -> None:
    page = visit_keeping()
    done = [100]
    asked: list[int] = []

    def answer_jobs(route: Route) -> None:
        route.fulfill(json={"jobs": [JOB | {"state": "queued", "done": done[0]}]})

    def answer_items(route: Route) -> None:
        begin = int(parse_qs(urlsplit(route.request.url).query)["begin"][0])
        asked.append(begin)
        items = [item(each) for each in range(begin, begin + 100)]
        for each in items:
            if each["position"] >= done[0]:
                each |= {"state": "queued", "result": None}
        route.fulfill(json={"items": items, "next": begin + 100})

    page.route("**/v1/jobs", answer_jobs)
    page.route("**/v1/jobs/many/results?*", answer_items)
    page.locator("#jobs summary").click()
    page_actions.press_button(page, ENGLISH["jobs.results"])
    expect(count(page, ENGLISH["jobs.outcome.waiting"])).to_have_text("4,900")
    done[0] = 1_250
    expect(count(page, ENGLISH["jobs.outcome.waiting"])).to_have_text("3,750")
    expect(page.locator("#announcer")).to_have_text(ENGLISH["jobs.said.share"].format(share="25%"))

    assert asked == [0, 100, *range(100, 1_400, 100)]


def test_no_word_of_an_outcome_is_broken(visit_kept: Visit, tmp_path: Path) -> None:
    page = visit_kept()
    folder = job_actions.folder_of_films(tmp_path)
    shutil.copy(CLEAR, folder / "examination_of_the_thorax_posteroanterior_20260131.jpg")
    items = [item(each) for each in range(len(NAMES) + 1)]
    items[-1] |= {"state": "queued", "result": None}
    page.route("**/results?*", lambda route: route.fulfill(json={"items": items, "next": None}))
    job_actions.send_folder(page, folder)
    job_actions.expect_finished(page, len(items))

    for name in LANGUAGES:
        page_actions.use_language(page, CODES[name])
        expect(job_actions.rows(page).last).to_contain_text(texts(name)["jobs.outcome.waiting"])
        for width in (320, 360, *range(776, 1400, 24)):
            page.set_viewport_size({"width": width, "height": 768})
            assert page.evaluate(_BROKEN_WORDS) == [], (name, width)


def test_nothing_is_asked_while_nobody_sees_the_page(visit_keeping: Visit) -> None:
    page = visit_keeping()
    page.clock.install()
    asked: list[str] = []
    page.on("request", lambda each: asked.append(each.url) if each.url.endswith("/jobs") else None)
    body = {"jobs": [JOB | {"state": "queued", "done": 1}]}
    page.route("**/v1/jobs", lambda route: route.fulfill(json=body))
    page.locator("#jobs summary").click()
    expect(page.locator(".job-state")).to_have_text(job_actions.state("queued", 1, "5,000"))
    with page.expect_request("**/v1/jobs"):
        page.clock.run_for(2_000)

    see(page, False)
    before = len(asked)
    page.clock.run_for(300_000)
    assert len(asked) == before
    with page.expect_request("**/v1/jobs"):
        see(page, True)
        page.clock.run_for(10)


def see(page: Page, is_seen: bool) -> None:
    """Lets the page believe that it is seen, or not."""
    page.evaluate(_SEE, not is_seen)


def test_results_that_cannot_be_loaded_are_said_and_can_be_asked_for_again(
    visit_kept: Visit, tmp_path: Path
) -> None:
    page = visit_kept(expecting="ERR_FAILED")
    page.route("**/results?*", lambda route: route.abort())
    job = job_actions.send_folder(page, job_actions.folder_of_films(tmp_path))
    job_actions.expect_finished(page, len(NAMES))  # until then they are asked for again and again
    expect(job.get_by_role("alert")).to_contain_text(ENGLISH["problem.network.title"])

    page.unroute("**/results?*")
    page_actions.press_button(page, ENGLISH["problem.retry"])

    expect(job_actions.rows(page).first).to_contain_text("%")
    expect(job.get_by_role("alert")).to_have_count(0)
