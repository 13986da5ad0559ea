"""/docs and /redoc work under their Content-Security-Policy."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.service.server import Server


def policy_violations(page: Page) -> list[str]:
    """Scripts that the policy blocked."""
    found: list[str] = page.evaluate("window.refused ?? []")
    return [each for each in found if each.startswith(("script", "worker"))]


@pytest.mark.parametrize(
    ("path", "shown"), [("/docs", ".opblock-summary"), ("/redoc", "[data-section-id]")]
)
def test_api_docs_render_without_policy_violations(
    browser: Browser, server: Server, path: str, shown: str
) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.add_init_script(
            "window.refused = []; addEventListener('securitypolicyviolation', "
            "event => window.refused.push(event.effectiveDirective))"
        )
        page.goto(server.url + path)

        expect(page.locator(shown).first).to_be_visible()
        assert policy_violations(page) == []
