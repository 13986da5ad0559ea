"""The page is light, strict, and whole on its own."""

import re
from html.parser import HTMLParser

import httpx

from bentos.settings import WEB
from tests.browser import hands
from tests.browser.conftest import Visit
from tests.browser.relay import relaying
from tests.service.server import Server

BUDGET_BYTES = 200_000
_LOADED = """() => performance.getEntriesByType("navigation")
  .concat(performance.getEntriesByType("resource"))
  .map(({ name, encodedBodySize }) => [name, encodedBodySize])"""


def test_first_load_is_within_its_budget(visit: Visit) -> None:
    page = visit()
    page.wait_for_load_state("networkidle")

    loaded = page.evaluate(_LOADED)

    assert len(loaded) > 20
    assert all(size > 0 for _, size in loaded)
    assert sum(size for _, size in loaded) < BUDGET_BYTES, sorted(loaded, key=lambda one: -one[1])
    assert not any("projector" in name or "v1/projection" in name for name, _ in loaded)


def test_page_has_no_script_and_no_style_of_its_own(server: Server) -> None:
    answer = httpx.get(server.url)
    policy = answer.headers["content-security-policy"]

    assert Inline.within(answer.text) == []
    assert answer.text == (WEB / "index.html").read_text()
    assert "unsafe" not in policy
    assert {"default-src 'none'", "script-src 'self'", "style-src 'self'"} <= {
        part.strip() for part in policy.split(";")
    }


def test_inline_script_and_style_would_be_found() -> None:
    page = "<style>a</style><p style='x' onclick='y'></p><script>z</script><script src=m></script>"

    assert Inline.within(page) == ["style", "style=", "onclick=", "script"]


class Inline(HTMLParser):
    """Finds code and style that lie in the markup."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    @classmethod
    def within(cls, markup: str) -> list[str]:
        parser = cls()
        parser.feed(markup)
        return parser.found

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attributes]
        if tag == "style" or (tag == "script" and "src" not in names):
            self.found.append(tag)
        self.found += [f"{name}=" for name in names if re.match(r"style$|on", name)]


def test_page_works_under_a_path(visit: Visit, server: Server) -> None:
    with relaying(server.url, path="/portal/xray") as relay:
        page = visit(relay.url)

        hands.click_example(page, "clear")
        hands.expect_result(page)
        page.locator("#projector summary").click()
        page.wait_for_selector(".space")

        assert page.locator("#snippets").inner_text().count(f"{relay.url}v1/analyses") == 2
        assert all(name.startswith(relay.url) for name in network(page.evaluate(_LOADED)))


def network(loaded: list[tuple[str, int]]) -> list[str]:
    return [name for name, _ in loaded if not name.startswith(("blob:", "data:"))]
