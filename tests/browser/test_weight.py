"""The page is small, has no inline code, and works under a path."""

import re
from html.parser import HTMLParser

import httpx

from tests.browser import page_actions
from tests.browser.conftest import Visit
from tests.browser.relay import run_relay
from tests.service.server import Server

BUDGET_BYTES = 140_000  # 2.8 s at 400 kbit/s; files can be chosen before all is there
DATA = "application/json"
_LOADED = """() => performance.getEntriesByType("navigation")
  .concat(performance.getEntriesByType("resource"))
  .map(({ name, encodedBodySize }) => [name, encodedBodySize])"""


def test_first_load_is_within_the_byte_budget(visit: Visit) -> None:
    page = visit()
    page.wait_for_load_state("networkidle")

    loaded = page.evaluate(_LOADED)

    assert len(loaded) > 20
    assert all(size > 0 for _, size in loaded)
    assert sum(size for _, size in loaded) < BUDGET_BYTES, sorted(loaded, key=lambda one: -one[1])
    assert not any("projector" in name or "v1/projection" in name for name, _ in loaded)


def test_page_has_no_inline_script_or_style(server: Server) -> None:
    answer = httpx.get(server.url)
    policy = answer.headers["content-security-policy"]

    assert InlineCodeFinder.find(answer.text) == []
    assert "unsafe" not in policy
    assert {"default-src 'none'", "script-src 'self'", "style-src 'self'"} <= {
        part.strip() for part in policy.split(";")
    }


def test_finder_detects_inline_scripts_and_styles() -> None:
    page = "<style>a</style><p style='x' onclick='y'></p><script>z</script><script src=m></script>"

    assert InlineCodeFinder.find(page) == ["style", "style=", "onclick=", "script"]


class InlineCodeFinder(HTMLParser):
    """Finds inline scripts and styles in markup."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    @classmethod
    def find(cls, markup: str) -> list[str]:
        parser = cls()
        parser.feed(markup)
        return parser.found

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attributes]
        is_code = tag == "script" and "src" not in names and dict(attributes).get("type") != DATA
        if tag == "style" or is_code:
            self.found.append(tag)
        self.found += [f"{name}=" for name in names if re.match(r"style$|on", name)]


def test_page_works_under_a_path(visit: Visit, server: Server) -> None:
    with run_relay(server.url, path="/portal/xray") as relay:
        page = visit(relay.url)

        page_actions.click_example(page, "clear")
        page_actions.expect_result(page)
        page.locator("#projector summary").click()
        page.wait_for_selector(".space")

        curl, python = page.locator(".snippet code").all_inner_texts()
        assert f" {relay.url}v1/analyses" in curl
        assert f'Client("{relay.url}")' in python
        assert all(name.startswith(relay.url) for name in network_urls(page.evaluate(_LOADED)))


def network_urls(loaded: list[tuple[str, int]]) -> list[str]:
    return [name for name, _ in loaded if not name.startswith(("blob:", "data:"))]
