"""Debian's Chromium under Playwright, and page visits that record forbidden behaviour."""

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright

# Without windows and profiles, the same engine opens a page in half the time.
EXECUTABLE = shutil.which("chromium-headless-shell") or shutil.which("chromium")
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
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """Starts the browser, and closes it afterwards."""
    browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=_FLAGS)
    yield browser
    browser.close()


@contextmanager
def visiting(
    browser: Browser, url: str, *, expecting: str = "", cookies: Sequence[str] = (), **options: Any
) -> Iterator[Page]:
    """Opens the page as a new visitor; expected console errors match a pattern, and expected
    cookies have these names. Without a service worker unless it is asked for, since requests that
    pass one cannot be answered by a test."""
    context = browser.new_context(**{"service_workers": "block", **options})
    context.set_default_timeout(PATIENCE_MS)
    monitor = PageMonitor(context)
    try:
        page = context.new_page()
        page.goto(url)
        page.wait_for_selector(READY)
        yield page
        monitor.check(url, expecting, cookies)
    finally:
        context.close()


class PageMonitor:
    """Records every request and console error of a visitor's pages."""

    def __init__(self, context: BrowserContext) -> None:
        self._context = context
        self._requests: list[str] = []
        self._errors: list[str] = []
        context.on("request", lambda request: self._requests.append(request.url))
        context.on("console", self._record)
        context.on("weberror", lambda problem: self._errors.append(str(problem.error)))

    def _record(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._errors.append(message.text)

    def check(self, url: str, expecting: str, cookies: Sequence[str]) -> None:
        """Fails if the page logged an error, requested another host, or set another cookie."""
        unknown = [
            error for error in self._errors if not (expecting and re.search(expecting, error))
        ]
        requests = [urlsplit(address) for address in self._requests]
        elsewhere = {
            each.geturl()
            for each in requests
            if each.scheme not in _LOCAL_SCHEMES and each.netloc != urlsplit(url).netloc
        }

        assert unknown == [], unknown
        assert elsewhere == set()
        assert [cookie["name"] for cookie in self._context.cookies()] == list(cookies)
