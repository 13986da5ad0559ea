"""Debian's Chromium under Playwright, and visits that note what the page must not do."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

EXECUTABLE = shutil.which("chromium")
PATIENCE_MS = 60_000
READY = "html[data-ready]"

_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_LOCAL_SCHEMES = ("blob", "data")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Starts the browser, and closes it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=_FLAGS)
        yield browser
        browser.close()


@contextmanager
def visiting(browser: Browser, url: str, *, expecting: str = "", **options: Any) -> Iterator[Page]:
    """Opens the page as a new visitor; what fails on purpose is named by a pattern."""
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE_MS)
    watch = Watch(context)
    try:
        page = context.new_page()
        page.goto(url)
        page.wait_for_selector(READY)
        yield page
        watch.check(url, expecting)
    finally:
        context.close()


class Watch:
    """Everything that the pages of a visitor asked for and complained of."""

    def __init__(self, context: BrowserContext) -> None:
        self._context = context
        self._asked: list[str] = []
        self._complaints: list[str] = []
        context.on("request", lambda request: self._asked.append(request.url))
        context.on("console", self._note)
        context.on("weberror", lambda problem: self._complaints.append(str(problem.error)))

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._complaints.append(message.text)

    def check(self, url: str, expecting: str) -> None:
        """Fails where the page broke, asked another host, or left a cookie."""
        unknown = [
            complaint
            for complaint in self._complaints
            if not (expecting and re.search(expecting, complaint))
        ]
        asked = [urlsplit(address) for address in self._asked]
        elsewhere = {
            each.geturl()
            for each in asked
            if each.scheme not in _LOCAL_SCHEMES and each.netloc != urlsplit(url).netloc
        }

        assert unknown == []
        assert elsewhere == set()
        assert self._context.cookies() == []
