"""The API documentation pages behind a path prefix that the service does not know."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from chestxray.results import DISCLAIMER
from tests.service.nginx import run_nginx_with_prefix
from tests.service.server import Server


@pytest.fixture(scope="module")
def base(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with run_nginx_with_prefix(server.url, tmp_path_factory.mktemp("nginx")) as url:
        yield f"{url}/xray"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that logs no errors except for Redoc's logo, which is on another host and is not
    requested.
    """
    context = browser.new_context()
    complaints: list[str] = []
    opened = context.new_page()
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("requestfailed", lambda request: complaints.append(request.url))
    yield opened
    context.close()
    assert [each for each in complaints if "redoc/logo" not in each] == []


def test_swagger_ui_shows_every_operation(page: Page, base: str) -> None:
    page.goto(f"{base}/docs")

    expect(page.locator(".opblock")).to_have_count(7)
    expect(page.locator(".info")).to_contain_text(DISCLAIMER)


def test_redoc_shows_every_operation(page: Page, base: str) -> None:
    page.goto(f"{base}/redoc")

    expect(page.get_by_role("heading", name="Analyse several images")).to_be_visible()
    expect(page.get_by_text(DISCLAIMER).first).to_be_visible()


def test_problem_type_link_shows_its_explanation(page: Page, base: str) -> None:
    page.goto(f"{base}/docs/problems#truncated-image")

    expect(page.locator("#truncated-image")).to_be_in_viewport()
    expect(page.locator("#truncated-image")).to_contain_text("Send the whole file.")
    expect(page.locator(".warning")).to_have_css("text-align", "center")
