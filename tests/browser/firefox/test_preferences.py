"""Firefox as its visitors set it up: colours of their own, and storage blocked."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect

from tests.browser import axe
from tests.browser.chromium import visiting
from tests.browser.firefox.conftest import firefox
from tests.browser.page_actions import ENGLISH
from tests.browser.test_accessibility import EXPECTED, STATES
from tests.browser.test_storage import expect_both_analysed
from tests.service.server import Server

LOOKS: dict[str, tuple[dict[str, Any], str]] = {
    "light": (
        {"layout.css.prefers-color-scheme.content-override": 1},
        "(prefers-color-scheme: light)",
    ),
    "forced colours": ({"browser.display.document_color_use": 2}, "(forced-colors: active)"),
}
"""Preferences, and the media query that then matches."""
_STORAGE_IS_BLOCKED = {"network.cookie.cookieBehavior": 2}
"""What "block all cookies" sets."""
_DENIAL = "() => { try { sessionStorage } catch (error) { return error.name } }"


@pytest.fixture(scope="module", params=LOOKS)
def looking(playwright: Playwright, request: pytest.FixtureRequest) -> Iterator[Browser]:
    preferences, query = LOOKS[request.param]
    with firefox(playwright, preferences) as running:
        assert running.new_page().evaluate("query => matchMedia(query).matches", query)
        yield running


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_no_violations(
    looking: Browser, server: Server, state: Callable[[Page], None]
) -> None:
    with visiting(looking, server.url, locale="en-US", expecting=f"{EXPECTED}|^$") as page:
        state(page)

        axe.expect_no_violations(page)


def test_images_are_analysed_where_storage_is_blocked(
    playwright: Playwright, server: Server
) -> None:
    with (
        firefox(playwright, _STORAGE_IS_BLOCKED) as blocking,
        visiting(
            blocking,
            server.url,
            locale="en-US",
            expecting="Storage access is restricted",
            service_workers="allow",
        ) as page,
    ):
        assert page.evaluate(_DENIAL) == "SecurityError"

        expect_both_analysed(page)

        expect(page.locator("#history")).to_contain_text(ENGLISH["history.noteNotStored"])
