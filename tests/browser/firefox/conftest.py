"""Debian's Firefox under Playwright, by WebDriver BiDi, in place of Chromium."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Playwright

_EXECUTABLE = shutil.which("firefox-esr") or shutil.which("firefox")
_CHANNEL = "moz-firefox"
"""Playwright's name for a Firefox as it is released."""


@contextmanager
def firefox(playwright: Playwright, preferences: dict[str, Any]) -> Iterator[Browser]:
    """Starts the browser with preferences of about:config, and closes it afterwards."""
    if _EXECUTABLE is None:
        pytest.skip("firefox is absent: `apt-get install firefox-esr`")
    browser = playwright.firefox.launch(
        channel=_CHANNEL, executable_path=_EXECUTABLE, firefox_user_prefs=preferences
    )
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    with firefox(playwright, {}) as running:
        yield running
