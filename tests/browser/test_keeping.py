"""Analyses are kept on the server only with the visitor's tick, and only once."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from bentos.settings import Settings
from tests.browser import kept_actions, page_actions
from tests.browser.chromium import PATIENCE_MS, READY
from tests.browser.conftest import Visit
from tests.browser.kept_actions import COOKIES
from tests.browser.page_actions import ANALYSES, CLEAR, ENGLISH, OPACITY, PATCHES, texts
from tests.service.server import Server

NO_STORAGE = """
const refuse = () => { throw new DOMException("denied", "SecurityError"); };
for (const name of ["localStorage", "sessionStorage"]) {
  Object.defineProperty(window, name, { get: refuse });
}
IDBFactory.prototype.open = refuse;
Object.defineProperty(Navigator.prototype, "cookieEnabled", { get: () => false });
"""


def keys_of(page: Page, wanted: int) -> Callable[[], list[str | None]]:
    """Names of the requests that are posted from now on with a wish to be kept."""
    sent = kept_actions.sent_analyses(page)

    def names() -> list[str | None]:
        assert len(sent) == wanted
        assert all("keep=true" in each.url for each in sent)
        return [each.headers.get("idempotency-key") for each in sent]

    return names


@pytest.mark.parametrize(("language", "locale"), [("en", "en-US"), ("pt", "pt-BR"), ("es", "es")])
def test_tick_is_off_and_says_what_is_kept_where_how_long_and_how_to_delete_it(
    visit_keeping: Visit, language: str, locale: str
) -> None:
    page, said = visit_keeping(locale=locale), texts(language)

    tick = page.get_by_role("checkbox", name=said["keep.tick"])

    expect(tick).not_to_be_checked()
    hours = {"en": "24 hours", "pt": "24 horas", "es": "24 horas"}[language]
    assert Settings().retention_hours == 24
    for text in (
        said["keep.whatText"],
        said["keep.whereCookie"],
        said["keep.untilCookie"].format(time=hours),
        said["keep.deletionText"],
    ):
        expect(tick).to_have_accessible_description(re.compile(re.escape(text)))
        expect(page.locator("#keep-meaning")).to_contain_text(text)
    expect(page.locator("#privacy-server")).to_have_text(said["privacy.serverKeeps"])


def test_nothing_is_kept_without_the_tick(visit_keeping: Visit) -> None:
    page = visit_keeping()
    sent = kept_actions.sent_analyses(page)

    page_actions.analyse(page, CLEAR)
    page.locator("#keep").check()
    page.locator("#keep").uncheck()
    page_actions.analyse(page, OPACITY)

    assert [("keep" in each.url, each.headers.get("idempotency-key")) for each in sent] == [
        (False, None),
        (False, None),
    ]
    expect(kept_actions.open_list(page)).to_have_count(0)
    expect(page.locator("#kept")).to_contain_text(ENGLISH["kept.empty"])
    expect(page.locator("#history")).to_contain_text(ENGLISH["history.note"])


def test_each_image_is_kept_with_the_tick(visit_keeping: Visit) -> None:
    page = visit_keeping(cookies=COOKIES)
    keys = keys_of(page, 2)

    kept_actions.keep(page, CLEAR, PATCHES)

    first, second = keys()
    assert first and second and first != second
    expect(kept_actions.open_list(page)).to_have_count(2)
    expect(page.locator("#history")).to_contain_text(ENGLISH["history.noteKept"])


def test_tick_is_forgotten_with_a_reload(visit_keeping: Visit) -> None:
    page = visit_keeping()
    page.locator("#keep").check()

    page.reload()
    page.wait_for_selector(READY)

    expect(page.locator("#keep")).not_to_be_checked()
    assert page.evaluate("Object.keys(localStorage)") == []
    assert page.evaluate("Object.keys(sessionStorage)") == ["visit"]


def test_tick_is_off_on_a_page_that_the_browser_restores(visit_keeping: Visit) -> None:
    page = visit_keeping()
    page.locator("#keep").check()
    sent = kept_actions.sent_analyses(page)

    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")

    expect(page.locator("#keep")).not_to_be_checked()
    page_actions.analyse(page, CLEAR)
    assert ["keep" in each.url for each in sent] == [False]


def test_image_that_waits_is_not_kept_once_the_tick_is_off(visit_keeping: Visit) -> None:
    page = visit_keeping(cookies=COOKIES)
    sent = kept_actions.sent_analyses(page)
    page.route(ANALYSES, until_unticked(page))
    page.locator("#keep").check()

    page_actions.choose_files(page, CLEAR, PATCHES)
    expect(page.locator(".visit strong")).to_contain_text(["%", "%"])

    assert ["keep=true" in each.url for each in sent] == [True, False]


def until_unticked(page: Page) -> Callable[[Route], None]:
    def hold(route: Route) -> None:
        page.locator("#keep").uncheck()
        route.continue_()

    return hold


def test_retry_after_a_lost_answer_keeps_once(visit_keeping: Visit) -> None:
    page = visit_keeping(cookies=COOKIES, expecting="ERR_FAILED")
    kept_actions.keep(page, CLEAR)
    keys = keys_of(page, 2)
    page.route(ANALYSES, lose_answer)
    page_actions.choose_files(page, PATCHES)
    page_actions.expect_problem(page, ENGLISH["problem.network.title"])

    page.unroute(ANALYSES)
    page_actions.press_button(page, ENGLISH["problem.retry"])
    page_actions.expect_result(page)

    first, second = keys()
    assert first == second is not None
    expect(kept_actions.open_list(page)).to_have_count(2)


def lose_answer(route: Route) -> None:
    kept = route.fetch(post_data=PATCHES.read_bytes())  # Playwright does not see a posted Blob
    assert kept.status == 201
    route.abort()


@pytest.mark.parametrize("code", ["storage-unavailable", "too-many-kept", "history-disabled"])
def test_image_that_cannot_be_kept_can_be_sent_without_the_tick(
    visit_keeping: Visit, code: str
) -> None:
    page = visit_keeping(expecting="status of 503")
    body = f'{{"code": "{code}", "status": 503}}'
    page.route(ANALYSES, lambda route: route.fulfill(status=503, body=body))
    page.locator("#keep").check()
    page_actions.choose_files(page, CLEAR)
    page_actions.expect_problem(page, ENGLISH[f"problem.{code}.title"])

    page.unroute(ANALYSES)
    sent = kept_actions.sent_analyses(page)
    page.locator("#keep").uncheck()
    page_actions.press_button(page, ENGLISH["problem.retry"])

    page_actions.expect_result(page)
    assert ["keep" in each.url for each in sent] == [False]


def test_service_that_keeps_nothing_offers_nothing(visit: Visit) -> None:
    page = visit()

    page_actions.analyse(page, CLEAR)

    expect(page.locator("#keep")).to_have_count(0)
    expect(page.locator("#kept")).to_be_hidden()
    expect(page.locator("#privacy-server")).to_have_text(ENGLISH["privacy.server"])


def test_nothing_is_kept_where_the_browser_stores_nothing(
    browser: Browser, keeping_server: Server
) -> None:
    context = browser.new_context(locale="en-US")
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(NO_STORAGE)
    page = context.new_page()
    page.goto(keeping_server.url)
    page.wait_for_selector(READY)
    sent = kept_actions.sent_analyses(page)

    page_actions.analyse(page, CLEAR)

    expect(page.locator("#keep")).to_have_count(0)
    expect(page.locator("#intake")).to_contain_text(ENGLISH["keep.blocked"])
    assert ["keep" in each.url for each in sent] == [False]
    context.close()


def test_nothing_is_kept_from_within_another_site(browser: Browser, keeping_server: Server) -> None:
    context = browser.new_context(locale="en-US")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    frame = f'<iframe src="{keeping_server.url}/" width="900" height="900"></iframe>'
    page.route(
        "http://portal.test/", lambda route: route.fulfill(body=frame, content_type="text/html")
    )
    page.route(f"{keeping_server.url}/", without_policy)

    page.goto("http://portal.test/")
    within = page.frame_locator("iframe")

    expect(within.locator("#intake")).to_contain_text(ENGLISH["keep.blocked"])
    expect(within.locator("#keep")).to_have_count(0)
    context.close()


def without_policy(route: Route) -> None:
    """Answers as a service would that lets a portal embed the page."""
    answer = route.fetch()
    headers = {k: v for k, v in answer.headers.items() if k != "content-security-policy"}
    route.fulfill(response=answer, headers=headers)
