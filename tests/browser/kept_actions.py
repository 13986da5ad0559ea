"""A visitor's actions on what the service keeps, and what is visible of it."""

from pathlib import Path

from playwright.sync_api import Locator, Page, Request, expect

from tests.browser import page_actions
from tests.browser.chromium import READY
from tests.browser.page_actions import ENGLISH

COOKIES = ["chestxray_visitor"]
"""What a visitor has who had something kept."""


def keep(page: Page, *files: Path) -> None:
    """Has files analysed and kept."""
    page.locator("#keep").check()
    page_actions.analyse(page, *files)
    expect(page.locator("#result")).to_contain_text(kept_until(""))


def kept_until(when: str) -> str:
    """What the result says of an analysis that is kept."""
    return ENGLISH["result.kept"].format(when=when).rstrip(".")


def open_list(page: Page) -> Locator:
    """Opens the list, and returns its items."""
    with page.expect_response("**/v1/analyses?limit=*"):
        page.locator("#kept summary").click()
    expect(page.locator("#kept-body > .visits")).to_have_attribute("aria-busy", "false")
    return items(page)


def items(page: Page) -> Locator:
    return page.locator(".keeping")


def sent_analyses(page: Page) -> list[Request]:
    """Images that the page posts from now on."""
    sent: list[Request] = []
    page.on("request", lambda each: sent.append(each) if each.method == "POST" else None)
    return sent


def confirm_deletion(page: Page, answer: str) -> None:
    """Asks for the deletion of all, and answers the question."""
    page_actions.press_button(page, ENGLISH["kept.removeAll"])
    dialog = page.get_by_role("dialog", name=ENGLISH["kept.questionCookie"])
    dialog.get_by_role("button", name=answer, exact=True).click()
    expect(dialog).to_be_hidden()


def reload(page: Page) -> None:
    page.reload()
    page.wait_for_selector(READY)


def forget_visit(page: Page) -> None:
    """Deletes this visit's history, so that only the server has anything."""
    page_actions.press_button(page, ENGLISH["history.removeAll"])
    page.get_by_role("dialog").get_by_role("button", name=ENGLISH["history.yes"]).click()
    expect(page.locator("#viewer")).to_be_hidden()
