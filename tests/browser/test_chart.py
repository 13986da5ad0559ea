"""The text for the chart can be copied, and is the one that the service would write."""

import json

import pytest
from playwright.sync_api import expect

from chestxray import chart
from chestxray.results import Analysis
from tests.browser import page_actions
from tests.browser.conftest import Visit
from tests.browser.page_actions import CLEAR, texts
from tests.browser.relay import run_relay
from tests.service.server import Server

LOCALES = {"en-US": ("en", "en"), "pt-BR": ("pt", "pt-BR"), "es-MX": ("es", "es")}


@pytest.mark.parametrize("locale", LOCALES)
def test_copied_text_is_the_one_of_the_service(visit: Visit, server: Server, locale: str) -> None:
    name, language = LOCALES[locale]
    with run_relay(server.url) as relay:
        page = visit(relay.url, locale=locale, permissions=["clipboard-read", "clipboard-write"])
        page_actions.analyse(page, CLEAR)
    place = page.locator("#result .chart")

    place.get_by_text(texts(name)["chart.title"]).click()
    place.get_by_role("button").click()

    expect(place.get_by_role("button")).to_have_text(texts(name)["api.copied"])
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == chart.text(Analysis.model_validate(json.loads(relay.answers[0])), language)
    assert len(relay.answers) == 1
