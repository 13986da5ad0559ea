"""/docs and /redoc work under their Content-Security-Policy."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.service.server import Server


def violations(page: Page) -> list[str]:
    """Scripts that the policy refused."""
    found: list[str] = page.evaluate("window.refused ?? []")
    return [each for each in found if each.startswith(("script", "worker"))]


@pytest.mark.parametrize(
    ("path", "shown"), [("/docs", ".opblock-summary"), ("/redoc", "[data-section-id]")]
)
def test_documents_are_shown(visit: Visit, server: Server, path: str, shown: str) -> None:
    page = visit(server.url, expecting="cdn.redoc.ly")  # a logo, which the policy refuses
    page.add_init_script(
        "window.refused = []; addEventListener('securitypolicyviolation', "
        "event => window.refused.push(event.effectiveDirective))"
    )
    page.goto(server.url + path)

    expect(page.locator(shown).first).to_be_visible()
    assert violations(page) == []
