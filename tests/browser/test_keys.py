"""A service that demands an API key gets the visitor's, which is forgotten with a reload."""

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.browser import job_actions, kept_actions, page_actions
from tests.browser.chromium import READY
from tests.browser.conftest import Visit
from tests.browser.page_actions import CLEAR, ENGLISH, PATCHES, texts
from tests.conftest import ROOT
from tests.service.server import Server, serve

UNKNOWN_KEY = f"cxr_{16 * '0'}_{43 * 'a'}"
_STORED = """async () => JSON.stringify([
  Object.entries(localStorage), Object.entries(sessionStorage), document.cookie, location.href,
  await indexedDB.databases(),
  await new Promise((resolve) => {
    const request = indexedDB.open("chestxray");
    request.onsuccess = () => {
      const entries = request.result.transaction("entries").objectStore("entries").getAll();
      entries.onsuccess = () => { request.result.close(); resolve(entries.result); };
    };
  }),
])"""


class Locked(NamedTuple):
    """A server that demands a key, and keys that it accepts."""

    server: Server
    whole: str
    """With all that the page does."""
    analysing: str
    """That may not keep anything."""


@pytest.fixture(scope="module")
def locked(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locked]:
    folder = tmp_path_factory.mktemp("locked")
    environment = {"CHESTXRAY_DATA_FOLDER": str(folder / "data"), "CHESTXRAY_ANONYMOUS": "false"}
    whole = create_key(environment, "analyse,history")
    analysing = create_key(environment, "analyse")
    with serve(folder, OMP_NUM_THREADS="1", **environment) as running:
        yield Locked(running, whole, analysing)


def create_key(environment: dict[str, str], scopes: str) -> str:
    command = [sys.executable, "-m", "bentos.cli", "keys", "create", "portal", "--scopes", scopes]
    made = subprocess.run(
        command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True, timeout=60
    )
    return next(word for word in made.stdout.split() if word.startswith("cxr_"))


@pytest.fixture
def visit_locked(visit: Visit, locked: Locked) -> Visit:
    """Opens the page of the server that demands a key."""
    return partial(visit, locked.server.url, expecting="status of 40[13]")


def give(page: Page, key: str, *, place: str = "#result") -> None:
    """Enters a key where it is asked for."""
    form = page.locator(f"{place} form.key")
    form.get_by_label(ENGLISH["key.label"]).fill(key)
    form.get_by_role("button", name=ENGLISH["key.use"]).click()


def be_refused(page: Page) -> None:
    page_actions.choose_files(page, CLEAR)
    page_actions.expect_problem(page, ENGLISH["problem.key-required.title"])


def test_image_is_analysed_with_the_key_that_the_page_asks_for(
    visit_locked: Visit, locked: Locked
) -> None:
    page = visit_locked()
    page_actions.choose_files(page, CLEAR, PATCHES)
    expect(page.locator(".visit strong")).to_have_text([ENGLISH["problem.key-required.title"]] * 2)
    sent: list[Request] = []
    page.on("request", lambda each: sent.append(each))

    give(page, locked.whole)

    page_actions.expect_result(page)
    expect(page.locator(".visit strong")).to_contain_text(["%", "%"])
    kept_actions.open_list(page)
    asked = [each for each in sent if "/v1/" in each.url]
    assert len(asked) >= 3
    assert {each.headers.get("authorization") for each in asked} == {f"Bearer {locked.whole}"}


def test_key_is_stored_nowhere_and_forgotten_with_a_reload(
    visit_locked: Visit, locked: Locked
) -> None:
    page = visit_locked()
    be_refused(page)
    expect(page.locator("#problem-key")).not_to_have_attribute("type", "password")
    give(page, locked.whole)
    page_actions.expect_result(page)

    stored = str(page.evaluate(_STORED))

    assert "covid19" in stored
    assert locked.whole not in stored
    assert locked.whole not in page.content()
    page.reload()
    page.wait_for_selector(READY)
    be_refused(page)


def test_key_is_forgotten_when_the_visitor_says_so(visit_locked: Visit, locked: Locked) -> None:
    page = visit_locked()
    be_refused(page)
    give(page, locked.whole)
    page_actions.expect_result(page)
    kept_actions.keep(page, PATCHES)
    expect(kept_actions.open_list(page)).not_to_have_count(0)

    page_actions.press_button(page, ENGLISH["key.forget"])

    expect(kept_actions.items(page)).to_have_count(0)
    expect(page.locator("#kept")).to_contain_text(ENGLISH["problem.key-required.title"])
    expect(page.get_by_text(ENGLISH["key.used"])).to_have_count(0)
    be_refused(page)


def test_wrong_key_is_said_and_another_can_be_given(visit_locked: Visit, locked: Locked) -> None:
    page = visit_locked()
    be_refused(page)

    give(page, UNKNOWN_KEY)
    page_actions.expect_problem(page, ENGLISH["problem.invalid-key.title"])
    give(page, locked.whole)

    page_actions.expect_result(page)


def test_text_that_is_no_key_is_not_sent(visit_locked: Visit) -> None:
    page = visit_locked()
    be_refused(page)
    sent = kept_actions.sent_analyses(page)

    give(page, "a key — with a dash")

    assert not page.locator("#problem-key").evaluate("field => field.checkValidity()")
    assert sent == []


def test_list_asks_for_a_key_too(visit_locked: Visit, locked: Locked) -> None:
    page = visit_locked()
    kept_actions.open_list(page)
    expect(page.locator("#kept")).to_contain_text(ENGLISH["problem.key-required.title"])

    give(page, locked.whole, place="#kept")

    expect(page.locator("#kept form.key")).to_have_count(0)
    expect(page.locator("#kept")).to_contain_text(ENGLISH["kept.noteKey"])


def test_job_that_is_refused_without_a_key_is_sent_once_there_is_one(
    visit_locked: Visit, locked: Locked, tmp_path: Path
) -> None:
    page = visit_locked()
    folder = job_actions.folder_of_films(tmp_path)
    card = job_actions.send_folder(page, folder)
    expect(card.get_by_role("alert")).to_contain_text(ENGLISH["problem.key-required.title"])

    give(page, locked.whole, place=".job")

    job_actions.expect_finished(page, len(job_actions.NAMES))
    expect(page.locator("#jobs")).to_contain_text(ENGLISH["jobs.noteKey"])
    job_actions.choose_folder(page, folder)
    until = ENGLISH["jobs.offer.untilKey"].format(time="24 hours")
    expect(page.get_by_role("dialog")).to_contain_text(until)
    job_actions.answer(page, "jobs.offer.cancel")
    page_actions.press_button(page, ENGLISH["key.forget"])
    expect(page.locator("#jobs")).to_contain_text(ENGLISH["problem.key-required.title"])
    expect(job_actions.jobs(page)).to_have_count(0)


def test_consent_says_what_a_key_changes(visit_locked: Visit, locked: Locked) -> None:
    page = visit_locked()
    meaning = page.locator("#keep-meaning")
    expect(meaning).to_contain_text(ENGLISH["keep.whereCookie"])
    be_refused(page)

    give(page, locked.whole)

    expect(meaning).to_contain_text(ENGLISH["keep.whereKey"])
    expect(meaning).to_contain_text(ENGLISH["keep.untilKey"].format(time="24 hours"))
    page_actions.use_language(page, "es")
    expect(meaning).to_contain_text(texts("es")["keep.whereKey"])


def test_key_that_may_not_keep_analyses_without_the_tick(
    visit_locked: Visit, locked: Locked
) -> None:
    page = visit_locked()
    be_refused(page)
    page.locator("#keep").check()
    give(page, locked.analysing)
    page_actions.expect_problem(page, ENGLISH["problem.scope-missing.title"])

    page.locator("#keep").uncheck()
    page_actions.press_button(page, ENGLISH["problem.retry"])

    page_actions.expect_result(page)
