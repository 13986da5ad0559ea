"""Deleting what the service keeps: one, all, and when that fails."""

from playwright.sync_api import Route, expect

from tests.browser import kept_actions, page_actions
from tests.browser.conftest import Visit
from tests.browser.page_actions import CLEAR, ENGLISH, OPACITY, PATCHES


def test_single_analysis_is_deleted_at_once(visit_kept: Visit) -> None:
    page = visit_kept()
    kept_actions.keep(page, CLEAR)
    kept_actions.keep(page, PATCHES)
    listed = kept_actions.open_list(page)

    listed.first.locator(".remove").click()

    expect(listed).to_have_count(1)
    expect(page.locator("#announcer")).to_have_text(ENGLISH["kept.deleted"])
    expect(page.locator("#result")).not_to_contain_text(kept_actions.kept_until(""))
    expect(page.locator(".visit")).to_have_count(2)
    kept_actions.reload(page)
    expect(page.locator("#result")).not_to_contain_text(kept_actions.kept_until(""))
    expect(kept_actions.open_list(page)).to_have_count(1)


def test_analysis_that_only_the_server_had_is_closed_when_it_is_deleted(
    visit_kept: Visit,
) -> None:
    page = visit_kept()
    kept_actions.keep(page, CLEAR)
    kept_actions.forget_visit(page)
    listed = kept_actions.open_list(page)
    listed.locator(".open").click()
    page_actions.expect_result(page)

    listed.locator(".remove").click()

    expect(page.locator("#viewer")).to_be_hidden()
    expect(page.locator("#result")).to_be_hidden()
    expect(page.locator("#kept")).to_contain_text(ENGLISH["kept.empty"])


def test_all_are_deleted_after_confirmation(visit_kept: Visit) -> None:
    page = visit_kept()
    kept_actions.keep(page, CLEAR, OPACITY)
    listed = kept_actions.open_list(page)

    kept_actions.confirm_deletion(page, ENGLISH["history.no"])
    expect(listed).to_have_count(2)
    kept_actions.confirm_deletion(page, ENGLISH["history.yes"])

    expect(listed).to_have_count(0)
    expect(page.locator("#kept")).to_contain_text(ENGLISH["kept.empty"])
    expect(page.locator(".visit")).to_have_count(2)
    kept_actions.reload(page)
    expect(kept_actions.open_list(page)).to_have_count(0)


def test_failed_deletion_is_said_and_can_be_repeated(visit_kept: Visit) -> None:
    page = visit_kept(expecting="ERR_FAILED")
    kept_actions.keep(page, CLEAR)
    listed = kept_actions.open_list(page)
    page.route("**/v1/analyses/*", lambda route: route.abort())

    listed.locator(".remove").click()

    expect(page.get_by_role("alert")).to_contain_text(ENGLISH["problem.network.title"])
    expect(listed).to_have_count(1)
    page.unroute("**/v1/analyses/*")
    listed.locator(".remove").click()
    expect(listed).to_have_count(0)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_analysis_deleted_elsewhere_is_taken_off_the_list(visit_kept: Visit) -> None:
    page = visit_kept(expecting="status of 404")
    kept_actions.keep(page, CLEAR)
    listed = kept_actions.open_list(page)
    assert page.request.delete(f"{page.url}v1/analyses").ok

    listed.locator(".open").click()

    expect(page.get_by_role("alert")).to_contain_text(ENGLISH["problem.no-such-analysis.title"])
    expect(listed).to_have_count(0)


def test_deletions_follow_one_another(visit_kept: Visit) -> None:
    page = visit_kept()
    kept_actions.keep(page, CLEAR, OPACITY, PATCHES)
    listed = kept_actions.open_list(page)
    held: list[Route] = []
    page.route(
        "**/v1/analyses/*",
        lambda route: route.continue_() if held else held.append(route),
    )

    with page.expect_request("**/v1/analyses/*"):
        listed.nth(0).locator(".remove").click()
    listed.nth(1).locator(".remove").click()
    held[0].continue_()

    expect(listed).to_have_count(1)
