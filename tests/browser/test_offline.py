"""The service becomes unreachable while the page is open."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import hands
from tests.browser.conftest import Visit
from tests.browser.hands import CLEAR, ENGLISH, OPACITY
from tests.browser.relay import relaying
from tests.service.server import Server, serve


@pytest.fixture
def stopping(browser: Browser, tmp_path: Path) -> Iterator[tuple[Server, ExitStack]]:
    """A separate server, and a function that stops it."""
    with ExitStack() as stop:
        running = serve(tmp_path, OMP_NUM_THREADS="1")
        yield stop.enter_context(running), stop


def test_page_goes_on_where_the_service_has_stopped(
    visit: Visit, stopping: tuple[Server, ExitStack]
) -> None:
    server, stop = stopping
    page = visit(server.url, expecting="ERR_CONNECTION_REFUSED")
    hands.read(page, CLEAR)
    first = hands.pixels(hands.canvas(page))

    stop.close()
    hands.pick(page, OPACITY)

    message = hands.expect_problem(page, ENGLISH["problem.network.title"])
    expect(message).to_contain_text(ENGLISH["problem.network.advice"])
    assert hands.pixels(hands.canvas(page)) != first
    page.locator(".visit .open", has_text=CLEAR.name).click()
    hands.expect_result(page)
    assert hands.pixels(hands.canvas(page)) == first


def test_image_is_read_once_the_service_is_back(visit: Visit, server: Server) -> None:
    with relaying(server.url) as relay:
        page = visit(relay.url, expecting="ERR_CONNECTION_REFUSED")
        page.wait_for_load_state("networkidle")

    hands.pick(page, CLEAR)
    hands.expect_problem(page, ENGLISH["problem.network.title"])

    with relaying(server.url, port=relay.server_port):
        hands.press(page, ENGLISH["problem.retry"])
        hands.expect_result(page)


def test_image_is_read_once_the_network_is_back(visit: Visit) -> None:
    page = visit(expecting="ERR_INTERNET_DISCONNECTED")
    page.context.set_offline(True)
    hands.pick(page, CLEAR)
    hands.expect_problem(page, ENGLISH["problem.network.title"])

    page.context.set_offline(False)
    hands.press(page, ENGLISH["problem.retry"])

    hands.expect_result(page)


@pytest.mark.parametrize("wanted", [".examples button", "#projector summary"])
def test_what_cannot_be_fetched_is_told(visit: Visit, server: Server, wanted: str) -> None:
    with relaying(server.url) as relay:
        page = visit(relay.url, expecting="ERR_CONNECTION_REFUSED|Failed to fetch")
        page.wait_for_load_state("networkidle")

    page.locator(wanted).first.click()

    expect(page.locator("#unreachable")).to_be_visible()


def test_page_that_cannot_start_says_so(visit: Visit) -> None:
    page = visit(expecting="ERR_FAILED|Failed to fetch")
    page.route("**/v1/models", lambda route: route.abort())

    page.reload()

    expect(page.locator("#unreachable")).to_be_visible()
