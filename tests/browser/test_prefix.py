"""The whole page below a path of a portal's site, by CHESTXRAY_ROOT_PATH and a real nginx."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import page_actions
from tests.browser.chromium import READY, visiting
from tests.browser.kept_actions import COOKIES
from tests.browser.page_actions import CLEAR
from tests.service.nginx import run_nginx_with_prefix
from tests.service.server import serve

_WORKER = "async () => (await navigator.serviceWorker.ready).scope"


@pytest.fixture
def base(browser: Browser, tmp_path: Path) -> Iterator[str]:
    """The service's address below the site."""
    settings = {"CHESTXRAY_ROOT_PATH": "/xray", "CHESTXRAY_DATA_FOLDER": str(tmp_path / "data")}
    nginx = tmp_path / "nginx"
    nginx.mkdir()
    with (
        serve(tmp_path, OMP_NUM_THREADS="1", **settings) as server,
        run_nginx_with_prefix(server.url, nginx) as url,
    ):
        yield f"{url}/xray/"


def test_page_stays_below_its_path(browser: Browser, base: str) -> None:
    """Links, cookies, service worker, manifest, the API's document, addresses of what is kept."""
    options = {"service_workers": "allow", "locale": "en-US"}
    with visiting(browser, base, cookies=COOKIES, **options) as page:  # type: ignore[arg-type]
        requested: list[str] = []
        page.context.on("request", lambda request: requested.append(request.url))
        assert page.evaluate(_WORKER) == base
        page.locator("#keep").check()
        with page.expect_response("**/v1/analyses*") as answered:
            page_actions.analyse(page, CLEAR)
        place = answered.value.headers["location"]
        assert place.startswith("/xray/v1/analyses/")
        assert page.request.get(f"{base}{place.removeprefix('/xray/')}").status == 200
        assert [each["path"] for each in page.context.cookies()] == ["/xray/"]
        manifest = page.locator("link[rel=manifest]").evaluate("link => link.href")
        declared = page.request.get(manifest).json()
        for key in ("start_url", "scope"):
            found = page.evaluate(
                "([path, at]) => new URL(path, at).href", [declared[key], manifest]
            )
            assert found == base
        for path, heading in (("privacy", "Privacy"), ("terms", "Terms of use")):
            page.locator(f"footer a[href^='{path}']").click()
            expect(page.locator("h1")).to_have_text(heading)
            page.locator(".brand").click()
            page.wait_for_selector(READY)
        page.goto(f"{base}docs")
        expect(page.get_by_text("/v1/analyses").first).to_be_visible()
        assert page.request.get(f"{base}openapi.json").json()["servers"] == [{"url": "/xray"}]
        assert [each for each in requested if not each.startswith((base, "blob:", "data:"))] == []
