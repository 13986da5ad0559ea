"""A script of a portal's own page calls the API in a real browser."""

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.page_actions import CLEAR
from tests.browser.test_storage import portal
from tests.service.server import serve

_CALL = """async ([url, bytes, options]) => {
  const body = bytes && Uint8Array.from(atob(bytes), (sign) => sign.charCodeAt(0));
  try {
    const answer = await fetch(url, { method: body ? "POST" : "GET", body, ...options });
    const headers = Object.fromEntries(answer.headers);
    return { status: answer.status, headers, text: await answer.text() };
  } catch (error) {
    return { error: String(error) };
  }
}"""


@pytest.fixture(scope="module")
def opened(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Page, str]]:
    """A page of the portal, and the address of a service that names its origin."""
    folder = tmp_path_factory.mktemp("portal")
    with ExitStack() as stack:
        address = stack.enter_context(portal(folder, "<!doctype html><title>A portal</title>"))
        parts = urlsplit(address)
        settings = {
            "CHESTXRAY_CORS_ORIGINS": json.dumps([f"{parts.scheme}://{parts.netloc}"]),
            "CHESTXRAY_DATA_FOLDER": str(folder / "data"),
            "CHESTXRAY_VISITOR_IMAGES_PER_MINUTE": "2",
        }
        server = stack.enter_context(serve(folder, OMP_NUM_THREADS="1", **settings))
        context = stack.enter_context(browser.new_context())
        page = context.new_page()
        page.goto(address)
        yield page, server.url


def call(page: Page, url: str, body: bytes = b"", **options: Any) -> dict[str, Any]:
    encoded = base64.b64encode(body).decode()
    found: dict[str, Any] = page.evaluate(_CALL, [url, encoded, options])
    return found


def test_page_of_a_named_origin_reads_answers_and_problems(opened: tuple[Page, str]) -> None:
    page, url = opened
    named = {"X-Request-ID": "of-the-portal", "X-Request-Timeout-Ms": "20000"}

    answer = call(page, f"{url}/v1/analyses", CLEAR.read_bytes(), headers=named)
    refused = call(page, f"{url}/v1/analyses", b"no image")
    limited = call(page, f"{url}/v1/analyses", CLEAR.read_bytes())

    assert [each["status"] for each in (answer, refused, limited)] == [200, 415, 429]
    headers = [each["headers"] for each in (answer, refused, limited)]
    assert headers[0]["x-request-id"] == "of-the-portal"
    assert all({"x-request-id", "ratelimit", "ratelimit-policy"} <= set(h) for h in headers)
    assert int(headers[2]["retry-after"]) >= 1
    assert json.loads(str(refused["text"]))["code"] == "unsupported-format"


def test_no_cookie_goes_from_there(opened: tuple[Page, str]) -> None:
    page, url = opened

    assert "error" in call(page, f"{url}/v1/limits", credentials="include")
    assert page.context.cookies() == []


def test_page_of_another_origin_reads_nothing(opened: tuple[Page, str], browser: Browser) -> None:
    page, url = opened
    other = page.context.new_page()
    other.goto(page.url.replace("localhost", "127.0.0.1"))

    assert "error" in call(other, f"{url}/v1/limits")
    other.close()
