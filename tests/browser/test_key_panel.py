"""Who may manage keys makes, rotates and revokes them on the page; nobody else sees that part."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser import axe, page_actions
from tests.browser.conftest import Visit
from tests.browser.page_actions import ENGLISH
from tests.browser.test_keyboard import tab_to
from tests.browser.test_keys import create_key
from tests.browser.test_languages import CODES, texts_of_other_languages
from tests.service.server import Server, serve

NAME = "Hospital of the north"
_EXPECTED = "status of 40[139]"
_WIDTH = "document.documentElement.scrollWidth"


class Keyed(NamedTuple):
    """A server for all, and keys of it."""

    server: Server
    admin: str
    analyst: str


@pytest.fixture(scope="module")
def keyed(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    folder = tmp_path_factory.mktemp("keyed")
    environment = {"CHESTXRAY_DATA_FOLDER": str(folder / "data")}
    admin = create_key(environment, "analyse,history,admin")
    analyst = create_key(environment, "analyse,history")
    with serve(folder, OMP_NUM_THREADS="1", **environment) as running:
        yield Keyed(running, admin, analyst)


@pytest.fixture
def visit_keyed(visit: Visit, keyed: Keyed) -> Visit:
    return partial(visit, keyed.server.url, expecting=_EXPECTED)


def give(page: Page, key: str) -> None:
    """Enters a key that nobody has asked for."""
    page.get_by_text(ENGLISH["key.own"]).click()
    page.get_by_label(ENGLISH["key.label"]).fill(key)
    page.get_by_role("button", name=ENGLISH["key.use"]).click()


def open_keys(page: Page, key: str) -> Locator:
    """Opens the list with an administrator's key, and returns its items."""
    give(page, key)
    page.locator("#keys summary").click()
    expect(page.locator("#keys .visits")).to_have_attribute("aria-busy", "false")
    return page.locator(".api-key")


def make_key(page: Page, name: str = NAME) -> str:
    """Makes a key with the form, and returns its secret."""
    page.get_by_label(ENGLISH["keys.name"]).fill(name)
    page.get_by_role("button", name=ENGLISH["keys.create"]).click()
    expect(page.locator(".issued")).to_contain_text(ENGLISH["keys.secret"].format(name=name))
    return page.locator("#keys-secret").inner_text()


def confirm(page: Page, what: str, name: str) -> None:
    """Asks for a rotation or revocation, and says yes."""
    row = page.get_by_role("listitem", name=name)
    row.get_by_role("button", name=ENGLISH[f"keys.{what}"]).click()
    dialog = page.get_by_role("dialog", name=ENGLISH[f"keys.{what}Question"].format(name=name))
    dialog.get_by_role("button", name=ENGLISH[f"keys.{what}"], exact=True).click()
    expect(dialog).to_be_hidden()


def status(keyed: Keyed, key: str) -> int:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.get(f"{keyed.server.url}/v1/analyses", headers=headers).status_code


def test_section_is_shown_to_administrators_alone(visit_keyed: Visit, keyed: Keyed) -> None:
    page = visit_keyed()
    section = page.locator("#keys")
    expect(section).to_be_hidden()

    with page.expect_response("**/v1/caller"):
        give(page, keyed.analyst)
    expect(section).to_be_hidden()
    page_actions.press_button(page, ENGLISH["key.forget"])
    give(page, keyed.admin)
    expect(section).to_be_visible()
    page_actions.press_button(page, ENGLISH["key.forget"])

    expect(section).to_be_hidden()


def test_new_key_is_shown_once_and_admits(visit_keyed: Visit, keyed: Keyed) -> None:
    page = visit_keyed()
    listed = open_keys(page, keyed.admin)
    page.get_by_label(ENGLISH["keys.images"]).fill("7")
    page.get_by_label(ENGLISH["keys.days"]).fill("30")

    secret = make_key(page)

    assert status(keyed, secret) == 200
    first = listed.first
    expect(first).to_contain_text(NAME)
    expect(first).to_contain_text(ENGLISH["keys.perMinute"].format(count=7))
    expect(first).to_contain_text(ENGLISH["keys.scope.history"])
    expect(first).not_to_contain_text(ENGLISH["keys.scope.admin"])
    headers = {"Authorization": f"Bearer {keyed.admin}"}
    (key, *_) = httpx.get(f"{keyed.server.url}/v1/keys", headers=headers).json()["keys"]
    left = datetime.fromisoformat(key["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=29) < left <= timedelta(days=30)
    expect(page.locator("#announcer")).to_have_text(ENGLISH["keys.issued"])
    page_actions.press_button(page, ENGLISH["keys.hide"])
    assert secret not in page.content()
    page.locator("#keys summary").click()
    page.locator("#keys summary").click()
    expect(page.locator(".issued")).to_have_count(0)


def test_scopes_that_the_administrator_lacks_are_not_offered(
    visit_keyed: Visit, keyed: Keyed
) -> None:
    page = visit_keyed()
    open_keys(page, keyed.admin)

    offered = page.locator(".new-key .tick").all_inner_texts()

    assert [each.strip() for each in offered] == [
        ENGLISH[f"keys.scope.{scope}"] for scope in ("admin", "analyse", "history")
    ]


def test_secret_can_be_copied(visit_keyed: Visit, keyed: Keyed) -> None:
    page = visit_keyed(permissions=["clipboard-read", "clipboard-write"])
    open_keys(page, keyed.admin)
    secret = make_key(page)

    page.locator(".issued").get_by_role("button", name=ENGLISH["api.copy"]).click()

    expect(page.locator(".issued")).to_contain_text(ENGLISH["api.copied"])
    assert page.evaluate("navigator.clipboard.readText()") == secret


def test_rotated_key_has_a_new_secret_and_revoked_one_none(
    visit_keyed: Visit, keyed: Keyed
) -> None:
    page = visit_keyed()
    listed = open_keys(page, keyed.admin)
    old = make_key(page, "rotated")
    expect(page.get_by_role("listitem", name="rotated")).to_be_visible()
    count = listed.count()

    confirm(page, "rotate", "rotated")
    expect(page.locator("#keys-secret")).not_to_have_text(old)
    new = page.locator("#keys-secret").inner_text()
    previous = ENGLISH["keys.previous"].partition("{")[0]
    expect(page.get_by_role("listitem", name="rotated")).to_contain_text(previous)
    assert (status(keyed, old), status(keyed, new)) == (200, 200)

    confirm(page, "revoke", "rotated")
    expect(listed).to_have_count(count - 1)
    expect(page.locator(".issued")).to_have_count(0)
    expect(page.locator("#announcer")).to_have_text(ENGLISH["keys.revoked"])


def test_last_administrator_is_told_that_it_is_the_last(visit_keyed: Visit, keyed: Keyed) -> None:
    page = visit_keyed()
    listed = open_keys(page, keyed.admin)
    own = listed.filter(has_text=ENGLISH["keys.scope.admin"])
    expect(own).to_have_count(1)

    own.get_by_role("button", name=ENGLISH["keys.revoke"]).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name=ENGLISH["keys.revoke"], exact=True).click()

    expect(page.get_by_role("alert")).to_contain_text(ENGLISH["problem.last-admin-key.title"])
    expect(own).to_have_count(1)


def test_key_without_a_scope_or_name_is_not_sent(visit_keyed: Visit, keyed: Keyed) -> None:
    page = visit_keyed()
    open_keys(page, keyed.admin)
    sent: list[str] = []
    page.on("request", lambda each: sent.append(each.method) if each.method == "POST" else None)
    create = page.get_by_role("button", name=ENGLISH["keys.create"])

    create.click()
    page.get_by_label(ENGLISH["keys.name"]).fill(NAME)
    for scope in ("analyse", "history"):
        page.get_by_label(ENGLISH[f"keys.scope.{scope}"]).uncheck()
    create.click()

    assert sent == []
    assert not page.locator(".new-key").evaluate("form => form.checkValidity()")


def test_keys_are_managed_with_the_keyboard_alone(visit_keyed: Visit, keyed: Keyed) -> None:
    page = visit_keyed()
    listed = open_keys(page, keyed.admin)
    name = "by keyboard"
    tab_to(page, "#keys-name")
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    expect(page.locator("#keys-secret")).to_be_visible()
    expect(page.locator("#keys-name")).to_be_focused()
    tab_to(page, "#keys-hide")
    page.keyboard.press("Enter")
    expect(page.locator("#keys summary")).to_be_focused()
    expect(page.get_by_role("listitem", name=name)).to_be_visible()
    count = listed.count()
    tab_to(page, ".api-key:first-child button[id^=keys-revoke]")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".api-key:first-child button[id^=keys-revoke]")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")

    expect(listed).to_have_count(count - 1)
    expect(page.locator("#keys summary")).to_be_focused()


def show_list(page: Page) -> None:
    make_key(page)


def show_question(page: Page) -> None:
    make_key(page)
    page.locator(".api-key button").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()


def show_failure(page: Page) -> None:
    page.route("**/v1/keys", lambda route: route.fulfill(status=403, body='{"code": "x"}'))
    page.locator("#keys summary").click()
    page.locator("#keys summary").click()
    expect(page.get_by_role("alert")).to_be_visible()


@pytest.mark.parametrize("state", [show_list, show_question, show_failure])
def test_axe_finds_no_violations(
    visit_keyed: Visit, keyed: Keyed, state: Callable[[Page], None]
) -> None:
    page = visit_keyed(reduced_motion="reduce")
    open_keys(page, keyed.admin)
    state(page)

    axe.expect_no_violations_in_any_look(page)


def test_section_fits_the_smallest_screen_in_every_language(
    visit_keyed: Visit, keyed: Keyed
) -> None:
    page = visit_keyed(viewport={"width": 320, "height": 640})
    open_keys(page, keyed.admin)
    secret = make_key(page, "H")

    for name in ("pt", "es", "en"):
        page_actions.use_language(page, CODES[name])

        expect(page.locator("#keys-secret")).to_have_text(re.compile(re.escape(secret)))
        assert page.evaluate(_WIDTH) <= 320, name
        assert texts_of_other_languages(page, name) == [], name
