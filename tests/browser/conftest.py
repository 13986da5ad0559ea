"""One server and one Chromium for all tests of the page."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from tests.browser.chromium import EXECUTABLE, PATIENCE_MS, chromium, visiting
from tests.browser.kept_actions import COOKIES
from tests.service.server import Server, serve

Visit = Callable[..., Page]


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """One for all browsers: a process cannot start two, and its event loop admits no other."""
    with sync_playwright() as running:
        expect.set_options(timeout=PATIENCE_MS)
        yield running


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    if EXECUTABLE is None:
        pytest.skip("chromium is absent: `apt-get install chromium-headless-shell`")
    with chromium(playwright) as running:
        yield running


# Servers last for the session: files of other folders run between those of this one.
@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    with serve(folder, OMP_NUM_THREADS="1") as running:
        yield running


@pytest.fixture(scope="session")
def keeping_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that keeps analyses for those who ask."""
    folder = tmp_path_factory.mktemp("keeping")
    with serve(folder, OMP_NUM_THREADS="1", CHESTXRAY_DATA_FOLDER=str(folder / "data")) as running:
        yield running


@pytest.fixture
def visit(browser: Browser, server: Server) -> Iterator[Visit]:
    """Opens the page as a new visitor, in English unless another locale is given."""
    with ExitStack() as visits:

        def start(url: str = server.url, **options: Any) -> Page:
            return visits.enter_context(visiting(browser, url, **{"locale": "en-US", **options}))

        yield start


@pytest.fixture
def visit_keeping(visit: Visit, keeping_server: Server) -> Visit:
    """Opens the page of the server that keeps analyses."""
    return partial(visit, keeping_server.url)


@pytest.fixture
def visit_kept(visit_keeping: Visit) -> Visit:
    """Opens the page of the server that keeps analyses, where one will be kept."""
    return partial(visit_keeping, cookies=COOKIES)
