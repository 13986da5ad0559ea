"""The service becomes unreachable while the page is open."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import page_actions
from tests.browser.chromium import READY
from tests.browser.conftest import Visit
from tests.browser.page_actions import CLEAR, ENGLISH, OPACITY
from tests.browser.relay import run_relay
from tests.service.server import Server, serve


@pytest.fixture
def stoppable_server(browser: Browser, tmp_path: Path) -> Iterator[tuple[Server, ExitStack]]:
    """A separate server, and an exit stack that stops it."""
    with ExitStack() as stop:
        running = serve(tmp_path, OMP_NUM_THREADS="1")
        yield stop.enter_context(running), stop


def test_page_works_after_the_service_has_stopped(
    visit: Visit, stoppable_server: tuple[Server, ExitStack]
) -> None:
    server, stop = stoppable_server
    page = visit(server.url, expecting="ERR_CONNECTION_REFUSED")
    page_actions.analyse(page, CLEAR)
    first = page_actions.pixels(page_actions.canvas(page))

    stop.close()
    page_actions.choose_files(page, OPACITY)

    message = page_actions.expect_problem(page, ENGLISH["problem.network.title"])
    expect(message).to_contain_text(ENGLISH["problem.network.advice"])
    assert page_actions.pixels(page_actions.canvas(page)) != first
    page.locator(".visit .open", has_text=CLEAR.name).click()
    page_actions.expect_result(page)
    assert page_actions.pixels(page_actions.canvas(page)) == first


def test_image_can_be_retried_when_the_service_is_back(visit: Visit, server: Server) -> None:
    with run_relay(server.url) as relay:
        page = visit(relay.url, expecting="ERR_CONNECTION_REFUSED")
        page.wait_for_load_state("networkidle")

    page_actions.choose_files(page, CLEAR)
    page_actions.expect_problem(page, ENGLISH["problem.network.title"])

    with run_relay(server.url, port=relay.server_port):
        page_actions.press_button(page, ENGLISH["problem.retry"])
        page_actions.expect_result(page)


def test_image_is_sent_again_when_the_network_is_back(visit: Visit) -> None:
    page = visit(expecting="ERR_INTERNET_DISCONNECTED")
    page.context.set_offline(True)
    page_actions.choose_files(page, CLEAR)
    page_actions.expect_problem(page, ENGLISH["problem.network.title"])

    page.context.set_offline(False)

    page_actions.expect_result(page)


@pytest.mark.parametrize("wanted", [".examples button", "#projector summary"])
def test_failed_fetch_shows_that_the_service_is_unreachable(
    visit: Visit, server: Server, wanted: str
) -> None:
    with run_relay(server.url) as relay:
        page = visit(relay.url, expecting="ERR_CONNECTION_REFUSED|AnalysisProblem|Failed to fetch")
        page.wait_for_load_state("networkidle")

    page.locator(wanted).first.click()

    expect(page.locator("#unreachable")).to_be_visible()


def test_page_that_cannot_load_shows_that_the_service_is_unreachable(visit: Visit) -> None:
    page = visit(expecting="ERR_FAILED")
    page.route("**/viewer.js", lambda route: route.abort())

    page.reload()

    expect(page.locator("#unreachable")).to_be_visible()


def test_images_are_sent_by_themselves_when_the_network_is_back(visit: Visit) -> None:
    page = visit(expecting="ERR_INTERNET_DISCONNECTED")
    page.context.set_offline(True)
    page_actions.choose_files(page, CLEAR, OPACITY)
    refused = page.locator(".visit", has_text=ENGLISH["problem.network.title"])
    expect(refused).to_have_count(2)

    page.context.set_offline(False)

    expect(refused).to_have_count(0)
    page_actions.expect_result(page)


def test_page_opens_without_a_connection(visit: Visit) -> None:
    page = visit(service_workers="allow", expecting="ERR_INTERNET_DISCONNECTED", locale="pt-BR")
    page.evaluate("() => navigator.serviceWorker.ready")
    page.context.set_offline(True)

    page.reload()

    page.wait_for_selector(READY)
    expect(page.locator("h1")).to_have_text(page_actions.texts("pt")["try.title"])
    page_actions.use_language(page, "es")  # its texts are stored, too


def test_second_visit_costs_one_request(visit: Visit, server: Server) -> None:
    """That of the document, for what is new in it; a window on a slow line opens as fast."""
    page = visit(service_workers="allow")
    page.evaluate("() => navigator.serviceWorker.ready")
    page.wait_for_load_state("networkidle")

    page.goto(server.url)
    page.wait_for_selector(READY)
    page.wait_for_load_state("networkidle")

    assert page.evaluate(_FROM_THE_NETWORK) == []


_FROM_THE_NETWORK = """() => performance.getEntriesByType("resource")
  .filter(({ name, transferSize, workerStart }) => transferSize > 0 && !workerStart)
  .map(({ name }) => name)"""
