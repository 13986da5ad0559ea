"""axe's rules over a page, in every look that a visitor's device may ask for."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_LANDMARKS = "best-practice"
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", _LANDMARKS]

_LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "forced_colors": "none"},
    "dark": {"color_scheme": "dark", "forced_colors": "none"},
    "forced colours": {"color_scheme": "dark", "forced_colors": "active"},
}


def expect_no_violations(page: Page) -> None:
    """Fails if what is shown breaks a rule."""
    _run(page, "as it is", None, _RULES)


def expect_no_violations_in_any_look(page: Page) -> None:
    """Fails if the state that is shown breaks a rule in one of the looks."""
    for name, look in _LOOKS.items():
        page.emulate_media(**look)
        _run(page, name, None, _RULES)


def expect_no_violations_on_paper(page: Page, selector: str) -> None:
    """Fails if a printed part breaks a rule in one of the schemes; paper has no landmarks."""
    rules = [each for each in _RULES if each != _LANDMARKS]
    for look in ("light", "dark"):
        page.emulate_media(media="print", **_LOOKS[look])
        _run(page, look, selector, rules)


def _run(page: Page, look: str, selector: str | None, rules: list[str]) -> None:
    options = {"runOnly": rules, "resultTypes": ["violations"]}
    found = Axe().run(page, context=selector, options=options)
    assert found.violations_count == 0, f"{look}: {found.generate_report()}"
